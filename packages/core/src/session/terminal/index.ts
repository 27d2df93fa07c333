/** The Terminal session: its declaration, a client, and servers. */
export {
  Terminal,
  type TerminalBuffers,
  terminalBuffers,
  TERMINAL_BUFFER_BYTES_DEFAULT,
  TERMINAL_CELLS_MAX,
  TERMINAL_SCROLL_BACK_BYTES_DEFAULT,
  TERMINAL_SIZE_DEFAULT,
  type TerminalSize,
} from './declaration.ts';
export { ScrollBack, type ScrolledPart } from './scroll-back.ts';
export { ServedTerminal, type TerminalEvents, type TerminalSessionContext } from './served-terminal.ts';
export { type ConnectTerminalOptions, TerminalClient } from './terminal-client.ts';
export { TerminalWatcher, WatchedTerminal } from './watched-terminal.ts';
