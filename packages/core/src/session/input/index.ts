/** The Input session: its declaration, a client and a server, and the numbers of keys. */
export { Input, inputCost, INPUT_EVENTS_DEFAULT, inputEventsOf } from './declaration.ts';
export {
  decodeInputEvent,
  encodeInputEvent,
  INPUT_EVENT_BYTES,
  type InputEvent,
  type KeyEvent,
  type MoveEvent,
} from './event.ts';
export { EventQueue } from './event-queue.ts';
export { type ConnectInputOptions, InputClient } from './input-client.ts';
export { KEY_CODE_MAX, KEY_CODES, keyCode } from './keys.ts';
export { ServedInput } from './served-input.ts';
export { type Chord, chordOfCombination, chordsOfText, eventsOfChord } from './typing.ts';
