/**
 * The events of an Input session, and how they stand in its dataspace: 16 bytes each, little
 * endian: u32 kind, and three i32 whose meaning depends on it.
 */
import { KEY_CODE_MAX } from './keys.ts';

/** A key or a button is pressed, or released. */
export interface KeyEvent {
  readonly kind: 'press' | 'release';
  readonly code: number;
}

/**
 * The mouse has moved by so many pixels, the pointer is at this pixel, or the wheel was turned: y
 * is positive away from the user.
 */
export interface MoveEvent {
  readonly kind: 'motion' | 'position' | 'wheel';
  readonly x: number;
  readonly y: number;
}

/** What somebody has done. */
export type InputEvent = KeyEvent | MoveEvent;

/** The kinds by their numbers; 0 is none. */
const KINDS = ['', 'press', 'release', 'motion', 'position', 'wheel'] as const;

/** The bytes of an event. */
export const INPUT_EVENT_BYTES = 16;

/** Writes an event over `INPUT_EVENT_BYTES` of `into` from `at` on. */
export function encodeInputEvent(event: InputEvent, into: DataView, at: number): void {
  const [first, second] = 'code' in event ? [event.code, 0] : [event.x, event.y];
  into.setUint32(at, KINDS.indexOf(event.kind), true);
  into.setInt32(at + 4, first, true);
  into.setInt32(at + 8, second, true);
  into.setInt32(at + 12, 0, true);
}

/** The event at this place; nothing if there is none that we know. */
export function decodeInputEvent(from: DataView, at: number): InputEvent | undefined {
  const kind = KINDS[from.getUint32(at, true)];
  const first = from.getInt32(at + 4, true);
  const second = from.getInt32(at + 8, true);
  switch (kind) {
    case 'press':
    case 'release':
      return first > 0 && first <= KEY_CODE_MAX ? { kind, code: first } : undefined;
    case 'motion':
    case 'position':
    case 'wheel':
      return { kind, x: first, y: second };
    default:
      return undefined;
  }
}
