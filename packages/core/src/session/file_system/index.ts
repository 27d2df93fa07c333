/** The client's side of a File_system session, and what both sides share. */
export {
  FileSystemClient,
  type OpenFileOptions,
  type ConnectFileSystemOptions,
  type NodeWatch,
} from './client.ts';
export type { FileSystemEntry, StatusEntry } from './directory-entry.ts';
export { NodesClient, type NodeChange } from './nodes-client.ts';
export { decodeName, encodeName } from './names.ts';
export { OpenDirectory } from './open-directory.ts';
export { OpenFile } from './open-file.ts';
export { type WalkedTree, type WalkFailure, walkPath } from './walk-path.ts';
