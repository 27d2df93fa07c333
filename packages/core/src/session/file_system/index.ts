/** Both sides of a File_system session above its packets: the client's, and the server's above a file system. */
export { FileSystemClient, type OpenFileOptions, type ConnectFileSystemOptions } from './client.ts';
export type { FileSystemEntry } from './directory-entry.ts';
export { decodeName, encodeName } from './names.ts';
export { OpenDirectory } from './open-directory.ts';
export { OpenFile } from './open-file.ts';
export { type WalkedTree, type WalkFailure, walkPath } from './walk-path.ts';
export type { BackendListing, BackendNode, FileSystemBackend } from './server/backend.ts';
export { FileSystemServerSession, type FileSystemSessionOptions } from './server/session.ts';
export {
  FILE_SYSTEM_POLICY_ELEMENTS,
  type FileSystemSessionContext,
  serveFileSystem,
  type ServeFileSystemOptions,
} from './server/serve.ts';
