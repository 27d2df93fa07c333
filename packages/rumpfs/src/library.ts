/** The parts of the file systems that a component, a tool or a test uses. */
export type { CheckReport, Finding, RepairReport } from './check/report.ts';
export { FsError, type FsErrorCode } from './errors.ts';
export { checkFileSystem, fileSystemTypes, mountFileSystem, repairFileSystem } from './file-systems.ts';
export type { BlockIo, Hypercalls } from './hypercall/hypercalls.ts';
export type {
  AttributeChange,
  Attributes,
  DirectoryEntry,
  DirectoryListing,
  FileSystemStatistics,
  NewNode,
  NodeType,
} from './vnode/attributes.ts';
export type { Mount } from './vnode/mount.ts';
export { type MountOptions, RECOVERIES, type Recovery } from './vnode/mount-options.ts';
export { resolveParent, resolvePath } from './vnode/path.ts';
export type { Vnode } from './vnode/vnode.ts';
