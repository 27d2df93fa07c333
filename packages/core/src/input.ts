/**
 * Input sessions: what somebody does with keyboard and mouse. `InputClient` is the client,
 * `ServedInput` a server; the keys have the numbers of Genode and Linux.
 */
export * from './session/input/index.ts';
