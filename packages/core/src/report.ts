/**
 * Report sessions: a component's state for others to read. `Reporter` is the client, `serveReport`
 * the server.
 */
export * from './session/report/index.ts';
