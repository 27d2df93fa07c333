/** The files that need nobody: null, zero and random. */
import { copyInto } from '@ginit/core/packet-stream';
import type { SingleFile } from './single-entry.ts';

/** The most that a source of randomness gives at a time. */
const RANDOM_BYTES_MAX = 65_536;

const nothing = async (): Promise<void> => {};
const takeAll = async (_: number | undefined, from: Uint8Array): Promise<number> => from.length;
const common = {
  writeable: true,
  unsized: true,
  sizeBytes: 0,
  write: takeAll,
  truncate: nothing,
  close: nothing,
};

/** Is empty and takes everything. */
export const NULL_FILE: SingleFile = { ...common, read: async () => 0 };

/** Zeros without end. */
export const ZERO_FILE: SingleFile = {
  ...common,
  read: async (_, into) => {
    into.fill(0);
    return into.length;
  },
};

/** Random bytes without end, of `fill`, which takes memory of this thread only. */
export function randomFile(fill: (into: Uint8Array<ArrayBuffer>) => void): SingleFile {
  const read = async (_: number, into: Uint8Array): Promise<number> => {
    for (let at = 0; at < into.length; at += RANDOM_BYTES_MAX) {
      const piece = new Uint8Array(Math.min(RANDOM_BYTES_MAX, into.length - at));
      fill(piece);
      copyInto(into, piece, at);
    }
    return into.length;
  };
  return { ...common, read };
}
