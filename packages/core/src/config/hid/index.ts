/** Reads and writes HID, the configuration syntax of Genode since release 26.02. */
export { hidProblems } from './holds.ts';
export { readHidDocument } from './read.ts';
export { readRelaxedHid } from './read-relaxed.ts';
export { writeHidDocument } from './write.ts';
