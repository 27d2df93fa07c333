/** Machine sessions: a virtual machine tells how it is, and hears what is wanted of it. */
export * from './session/machine.ts';
