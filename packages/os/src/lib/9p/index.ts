/** A server of 9P2000.L over a File_system session. */
export { MalformedMessage, NinePServer } from './server.ts';
export type { SharedFiles, ShareOptions } from './share.ts';
export { HEADER_BYTES } from './wire.ts';
