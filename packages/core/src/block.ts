/**
 * Block sessions: the interface, a client with promises (`BlockClient`) and a server over a device
 * (`serveBlock`).
 */
export * from './session/block/declaration.ts';
export * from './session/block/index.ts';

// Lists of slots in typed arrays, for caches.
export { SlotLists } from './slot-lists.ts';
