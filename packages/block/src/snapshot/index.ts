/** Snapshots of a device, kept on another one. */
export { type SnapshotEvents, Snapshots, type WhenFull } from './snapshots.ts';
export { SnapshotStore } from './snapshot-store.ts';
export {
  CHUNK_BYTES_MAX,
  CHUNK_BYTES_MIN,
  isChunkSize,
  isOriginBlockSize,
  type SnapshotRecord,
} from './store-format.ts';
