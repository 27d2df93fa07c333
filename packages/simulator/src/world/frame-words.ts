/**
 * Describes a frame in one line for the schedule: its kind, and those parts of its header that help
 * people.
 */
import { FrameKind } from '@ginit/core/platform';

const NAMES = new Map<number, string>(Object.entries(FrameKind).map(([name, kind]) => [kind, name]));
const WORD_AT = [4, 8, 12] as const;

/** The kind of a frame, as in its first byte. */
export function kindOf(frame: Uint8Array): number {
  return frame[0] ?? 0;
}

/** Whether a frame is a call, traced or not. */
export function isCall(frame: Uint8Array): boolean {
  const kind = kindOf(frame);
  return kind === FrameKind.call || kind === FrameKind.tracedCall;
}

/** One of the three words of the header. */
export function wordOf(frame: Uint8Array, which: 0 | 1 | 2): number {
  const at = WORD_AT[which];
  const low = (frame[at] ?? 0) | ((frame[at + 1] ?? 0) << 8) | ((frame[at + 2] ?? 0) << 16);
  return (low | ((frame[at + 3] ?? 0) << 24)) >>> 0;
}

/** The description for people; `titles` has the names of operations by their key. */
export function describeFrame(frame: Uint8Array, titles: ReadonlyMap<number, string>): string {
  const kind = kindOf(frame);
  const name = NAMES.get(kind) ?? `kind ${kind}`;
  const first = wordOf(frame, 0);
  if (!isCall(frame)) return `${name} ${first} (${frame.length} bytes)`;
  const key = wordOf(frame, 2);
  return `${name} ${first} ${titles.get(key) ?? `operation ${key.toString(16)}`} (${frame.length} bytes)`;
}
