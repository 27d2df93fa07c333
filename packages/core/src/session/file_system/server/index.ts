/** The server's side of a File_system session, above a file system. */
export type {
  BackendListing,
  BackendNewNode,
  BackendNode,
  BackendSpace,
  BackendStatus,
  FileSystemBackend,
} from './backend.ts';
export { FileSystemServerSession, type FileSystemSessionOptions } from './session.ts';
export { tellChanged } from './node-watches.ts';
export {
  FILE_SYSTEM_POLICY_ELEMENTS,
  type FileSystemSessionContext,
  serveFileSystem,
  type ServeFileSystemOptions,
} from './serve.ts';
