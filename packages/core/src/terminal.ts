/**
 * Terminal sessions: bytes between a component and whoever sits at its terminal. `TerminalClient`
 * is the client; `ServedTerminal` is a server, and `WatchedTerminal` one for people who come and
 * go.
 */
export * from './session/terminal/index.ts';
