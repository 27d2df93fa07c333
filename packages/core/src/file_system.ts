/** File_system sessions: the interface, and what a client and a server of files stand on. */
export * from './session/file_system/declaration.ts';
export * from './session/file_system/index.ts';
