/** Both sides of Block sessions: what a client and a server of blocks stand on. */
export * from './block-backend.ts';
export * from './block-client.ts';
export * from './block-policy.ts';
export * from './block-view.ts';
export * from './serve-block.ts';
export { writeZeroesByWriting } from './write-zeroes.ts';
