/** File_system sessions: the interface, and what a client and a server of files stand on. */
export * from './session/file_system/declaration.ts';
export * from './session/file_system/index.ts';
export * from './session/file_system/server/index.ts';

// Names are bytes; in strings they survive as they are.
export { bytesOfText, textOfBytes } from './byte-text.ts';
