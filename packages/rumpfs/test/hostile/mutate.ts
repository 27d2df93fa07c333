/** What is done to an image by a seed: some of its structures are changed. */
import { randomFrom } from '../memory-hypercalls.ts';

/** An image and the bytes of its structures, which are worth changing. */
export interface Victim {
  readonly title: string;
  readonly image: Uint8Array;
  /** Ranges of bytes; each is as likely as any other, however long. */
  readonly ranges: readonly { readonly from: number; readonly length: number }[];
  /** Whether its numbers are in big endian. */
  readonly bigEndian?: boolean;
}

const INTERESTING = [
  0, 1, 2, 0xff, 0x7f, 0x80, 0xffff, 0x7fff, 0x8000, 0xffff_ffff, 0x7fff_ffff, 0x8000_0000,
];

/** Changes a copy of a victim by a seed: from one bit to several pieces. */
export function mutate(victim: Victim, into: Uint8Array, seed: number): void {
  const random = randomFrom(seed);
  const upTo = (end: number): number => Math.floor(random() * end);
  const place = (): number => {
    const range = victim.ranges[upTo(victim.ranges.length)] ?? { from: 0, length: 1 };
    return range.from + upTo(range.length);
  };
  into.set(victim.image);
  const view = new DataView(into.buffer, into.byteOffset, into.length);
  for (let left = 1 + upTo(random() < 0.7 ? 3 : 12); left > 0; left -= 1) {
    const at = Math.min(place(), into.length - 4);
    const aligned = at & ~3;
    // Journals of ext are in big endian, discs in both.
    const usual = random() < 0.75;
    const little = victim.bigEndian === true ? !usual : usual;
    switch (upTo(7)) {
      case 0:
        view.setUint8(at, view.getUint8(at) ^ (1 << upTo(8)));
        break;
      case 1:
        view.setUint8(at, upTo(256));
        break;
      case 2:
        view.setUint16(at & ~1, INTERESTING[upTo(INTERESTING.length)] ?? 0, little);
        break;
      case 3:
        view.setUint32(aligned, INTERESTING[upTo(INTERESTING.length)] ?? 0, little);
        break;
      case 4:
        // A number near what is there, or of something else that there is.
        view.setUint32(aligned, view.getUint32(aligned, little) + upTo(9) - 4, little);
        break;
      case 5:
        view.setUint32(aligned, view.getUint32(place() & ~3 & (into.length - 4), little), little);
        break;
      default: {
        const length = 1 + upTo(64);
        const from = Math.min(place(), into.length - length);
        into.copyWithin(Math.min(at, into.length - length), from, from + length);
      }
    }
  }
}
