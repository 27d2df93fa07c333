/** Block sessions: the interface, and what a client and a server of blocks stand on. */
export * from './session/block/declaration.ts';
export * from './session/block/index.ts';

// For caches: lists over slots, in typed arrays.
export { SlotLists } from './slot-lists.ts';
