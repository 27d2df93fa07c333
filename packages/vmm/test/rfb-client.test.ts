/** The client of RFB, against whatever may be at the other end. */
import { describe, expect, test } from 'vitest';
import type { HostConnection } from '@ginit/core/host';
import { RfbClient, RfbError } from '../src/engine/qemu/display/rfb-client.ts';
import { connectionPair } from './fake-qemu.ts';

const RAW = 0;
const DESKTOP_SIZE = -223;
const LARGEST = 64;

/** Numbers of two bytes. */
const words = (...values: readonly number[]): number[] =>
  values.flatMap((value) => [value >> 8, value & 255]);
const word32 = (value: number): number[] => words((value >>> 16) & 0xffff, value & 0xffff);

/** One kind of security, which is none, and nothing against it. */
const ONE_WITHOUT_PASSWORD = [1, 1, 0, 0, 0, 0];

/** The beginning of a conversation with a screen of this size. */
const hello = (width: number, height: number): number[] => [
  ...new TextEncoder().encode('RFB 003.008\n'),
  ...ONE_WITHOUT_PASSWORD,
  ...words(width, height),
  ...Array.from({ length: 16 }, () => 0),
  ...word32(4),
  ...new TextEncoder().encode('QEMU'),
];

interface Rectangle {
  readonly at: readonly [x: number, y: number, width: number, height: number];
  readonly encoding?: number;
  readonly pixels?: readonly number[];
}

function rectangle({ at, encoding = RAW, pixels = [] }: Rectangle): number[] {
  // Pixels are little-endian.
  const bytes = pixels.flatMap((pixel) => word32(pixel).toReversed());
  return words(...at).concat(word32(encoding >>> 0), bytes);
}

const update = (...rectangles: readonly Rectangle[]): number[] =>
  [0, 0].concat(words(rectangles.length), rectangles.flatMap(rectangle));

/** A screen of which a test writes each byte. */
class Scripted {
  readonly told: string[] = [];
  readonly client: Promise<RfbClient>;
  readonly end: Promise<unknown>;
  readonly #far: HostConnection;

  constructor() {
    const [near, far] = connectionPair();
    this.#far = far;
    this.client = RfbClient.open(near, {
      resized: (width, height) => {
        this.told.push(`${width} x ${height}`);
        return width * height <= LARGEST;
      },
      line: (y, x, pixels) =>
        this.told.push(`${y},${x}: ${Array.from(pixels, (pixel) => pixel.toString(16)).join(' ')}`),
    });
    this.end = this.client.then((client) => client.takeAll()).catch((error: unknown) => error);
  }

  say(bytes: readonly number[]): void {
    // A byte at a time: nothing depends on how they come.
    for (const byte of bytes) void this.#far.write(Uint8Array.of(byte));
  }

  /** The next that the client says. */
  async heard(): Promise<number[]> {
    return [...((await this.#far.read()) ?? [])];
  }

  /** What it says until it asks for the picture. */
  async asked(): Promise<number[]> {
    for (;;) {
      const said = await this.heard();
      if (said[0] === 3) return said;
    }
  }

  close(): void {
    void this.#far.close();
  }
}

describe('the client of RFB', () => {
  test('shakes hands, asks for all of the picture and then for what changes, and shows it', async () => {
    const screen = new Scripted();
    screen.say(hello(4, 2));
    await screen.client;
    expect(new TextDecoder().decode(Uint8Array.from(await screen.heard()))).toBe('RFB 003.008\n');
    expect([await screen.heard(), await screen.heard()]).toEqual([[1], [1]]);
    const format = await screen.heard();
    expect([format.length, format[4], format[6], format[7]]).toEqual([20, 32, 0, 1]);
    expect(await screen.heard()).toEqual([2, 0, 0, 2, 0, 0, 0, 0, 255, 255, 255, 33]);
    expect(await screen.heard()).toEqual([3, 0, 0, 0, 0, 0, 0, 4, 0, 2]);
    screen.say(update({ at: [1, 0, 2, 2], pixels: [0x112233, 1, 2, 0xffffff] }));
    expect(await screen.heard()).toEqual([3, 1, 0, 0, 0, 0, 0, 4, 0, 2]);
    expect(screen.told).toEqual(['4 x 2', '0,1: 112233 1', '1,1: 2 ffffff']);
  });

  test('takes bells and texts of the clipboard, and forgets them', async () => {
    const screen = new Scripted();
    screen.say([...hello(1, 1), 2, 3, 0, 0, 0, ...word32(3), 65, 66, 67]);
    screen.say(update({ at: [0, 0, 1, 1], pixels: [7] }));
    await screen.asked();
    await screen.asked();
    expect(screen.told).toEqual(['1 x 1', '0,0: 7']);
  });

  test('does not ask for a picture that is too large, and takes one that came all the same as none', async () => {
    const screen = new Scripted();
    screen.say([...hello(2, 2), ...update({ at: [0, 0, 16, 16], encoding: DESKTOP_SIZE })]);
    await screen.asked();
    await expect.poll(() => screen.told).toContain('16 x 16');
    screen.say(update({ at: [0, 0, 1, 1], pixels: [9] }));
    // Nobody waits for it in vain.
    await (await screen.client).whole();
    screen.say(update({ at: [0, 0, 2, 2], encoding: DESKTOP_SIZE }));
    expect(await screen.asked()).toEqual([3, 1, 0, 0, 0, 0, 0, 2, 0, 2]);
    expect(screen.told).toEqual(['2 x 2', '16 x 16', '2 x 2']);
  });

  test('waits for a picture that is whole: parts of one do not do', async () => {
    const screen = new Scripted();
    screen.say(hello(2, 1));
    const client = await screen.client;
    let isWhole = false;
    const whole = client.whole().then(() => (isWhole = true));
    screen.say(update({ at: [0, 0, 1, 1], pixels: [1] }));
    for (let asked = 0; asked < 3; asked++) await screen.asked();
    expect(isWhole).toBe(false);
    screen.say(update({ at: [0, 0, 2, 1], pixels: [1, 2] }));
    await whole;
    // The end of the connection sets free whoever waits.
    const never = client.whole();
    await client.close();
    await never;
  });

  test.each([
    [
      'another version',
      [...new TextEncoder().encode('RFB 003.889\n')],
      'a screen speaks another version of RFB',
    ],
    ['a password', [...hello(1, 1).slice(0, 12), 1, 2], 'a screen asks who is there'],
    ['a refusal', [...hello(1, 1).slice(0, 14), 0, 0, 0, 1], 'a screen refuses'],
    ['an unknown message', [...hello(1, 1), 99], 'a screen sends a message of the type 99'],
    [
      'an unknown encoding',
      [...hello(1, 1), ...update({ at: [0, 0, 1, 1], encoding: 5 })],
      'a screen sends the encoding 5',
    ],
  ])('ends with an error at %s', async (_, bytes, reason) => {
    const screen = new Scripted();
    screen.say(bytes);
    expect(await screen.end).toEqual(new RfbError(reason));
  });

  test('ends with an error when the connection does, in the middle of a rectangle', async () => {
    const screen = new Scripted();
    screen.say([...hello(4, 4), ...update({ at: [0, 0, 4, 4], pixels: [1, 2, 3] })]);
    await screen.client;
    screen.close();
    expect(await screen.end).toEqual(new RfbError('a screen has closed its connection'));
  });
});
