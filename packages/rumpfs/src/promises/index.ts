/** A mounted file system in the shape of Node's `fs.promises`. */
export type { Mode, PathLike, TimeLike, Writeable, WriteableData } from './arguments.ts';
export type { FileChange } from './change-watch.ts';
export type { CopyOptions } from './copy-tree.ts';
export { MountedDir } from './directory-handle.ts';
export { Failure, type FailureCode } from './failure.ts';
export { MountedFileHandle, type ReadOptions, type ReadResult, type StreamOptions } from './file-handle.ts';
export { LocalOperations, type LocalParts } from './local-operations.ts';
export { MountedFs, type ReadFileOptions, type WriteFileOptions } from './mounted-fs.ts';
export { type ErrorName, NodeError } from './node-error.ts';
export type { FsOperations, NodeFacts, VolumeFacts } from './operations.ts';
export { MountedBigIntStats, MountedDirent, MountedStatFs, MountedStats } from './stats.ts';
export {
  type MountDevice,
  mountedFs,
  type MountWorld,
  type PromisesMountOptions,
  startOperations,
} from './start.ts';
