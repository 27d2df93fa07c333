/**
 * The tag of a memory file that travels beside a frame to another process, one message of a
 * descriptor socket each:
 *
 *     u32 index · u32 count of the frame's files · u32 steps of 64 KiB · u32 flags: 1 sealed, 2 for nobody else
 *
 * Written by a peer that is not trusted: it is checked by whoever takes it.
 */
import { LIMITS } from '../../../limits.ts';
import { MEMORY_STEP_BYTES } from '../../../memory/shared-memory.ts';

const WORDS = 4;
const SEALED = 1;
const ONCE = 2;
/** Largest memory file: 2 GiB less 1 MiB. */
const STEPS_MAX = 2 ** 15 - 2 ** 4;

/** The content of a tag. */
export interface MemoryTag {
  readonly index: number;
  readonly count: number;
  readonly sizeBytes: number;
  /** Whether it is for reading only: a receiver that writes gets pages of its own. */
  readonly sealed: boolean;
  /** Whether the receiver will not pass it on. */
  readonly once: boolean;
}

/** Writes a tag. */
export function writeTag({ index, count, sizeBytes, sealed, once }: MemoryTag): Uint8Array {
  const flags = (sealed ? SEALED : 0) | (once ? ONCE : 0);
  return new Uint8Array(Uint32Array.of(index, count, sizeBytes / MEMORY_STEP_BYTES, flags).buffer);
}

/** Reads a tag; `undefined` if it is malformed. */
export function readTag(bytes: Uint8Array): MemoryTag | undefined {
  if (bytes.byteLength !== WORDS * 4) return undefined;
  const [index = 0, count = 0, steps = 0, flags = 0] = new Uint32Array(new Uint8Array(bytes).buffer);
  if (count < 1 || count > LIMITS.capabilitiesPerMessage || index >= count) return undefined;
  if (steps < 1 || steps > STEPS_MAX || flags > (SEALED | ONCE)) return undefined;
  const [sealed, once] = [(flags & SEALED) !== 0, (flags & ONCE) !== 0];
  return { index, count, sizeBytes: steps * MEMORY_STEP_BYTES, sealed, once };
}
