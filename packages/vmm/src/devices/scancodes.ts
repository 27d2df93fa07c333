/**
 * What a PC's keyboard sends for each key: scan codes of set 1. Most keys send their number in
 * Linux, which took them from there; those that the first PCs did not have send 0xe0 before.
 */

const EXTENDED = 0xe0;
const RELEASED = 0x80;
/** The keys up to this one send their own number. */
const PLAIN_MAX = 88;
/** There is no key of this number up to `PLAIN_MAX`. */
const ZENKAKU = 85;

const OTHERS: ReadonlyMap<number, readonly number[]> = new Map([
  [ZENKAKU, [0x76]],
  [89, [0x73]],
  [92, [0x79]],
  [93, [0x70]],
  [94, [0x7b]],
  [124, [0x7d]],
  ...(
    [
      [96, 0x1c],
      [97, 0x1d],
      [98, 0x35],
      [99, 0x37],
      [100, 0x38],
      [102, 0x47],
      [103, 0x48],
      [104, 0x49],
      [105, 0x4b],
      [106, 0x4d],
      [107, 0x4f],
      [108, 0x50],
      [109, 0x51],
      [110, 0x52],
      [111, 0x53],
      [113, 0x20],
      [114, 0x2e],
      [115, 0x30],
      [116, 0x5e],
      [125, 0x5b],
      [126, 0x5c],
      [127, 0x5d],
    ] as const
  ).map(([code, scancode]): [number, readonly number[]] => [code, [EXTENDED, scancode]]),
]);
/** This key sends all that it ever sends when it is pressed. */
const PAUSE = 119;
const PAUSE_CODES = [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5];

/** The scan codes of a key that is pressed, or released; none if no keyboard of a PC has it. */
export function scancodesOf(code: number, isPressed: boolean): readonly number[] {
  if (code === PAUSE) return isPressed ? PAUSE_CODES : [];
  const codes = OTHERS.get(code) ?? (code >= 1 && code <= PLAIN_MAX ? [code] : []);
  return isPressed ? codes : codes.map((one) => (one === EXTENDED ? one : one | RELEASED));
}
