/**
 * File_system sessions: the interface, a client by paths (`FileSystemClient`) and a server over a
 * file system (`serveFileSystem`).
 */
export * from './session/file_system/declaration.ts';
export * from './session/file_system/index.ts';
export * from './session/file_system/server/index.ts';

// Names are bytes. These two turn them into strings and back without losing any.
export { bytesOfText, textOfBytes } from './byte-text.ts';
