/** Screen, keyboard and mouse of a machine on the engine v86, whose guest has a few bytes. */
import { keyCode } from '@ginit/core/input';
import { expect, test } from 'vitest';
import { readPng } from '../../../test/harness/png.ts';
import { MachineSystem } from './machine-system.ts';
import { textOn } from './screen-text.ts';
import { Program } from './tiny-guest.ts';

const TEXT_AT = 0xb8000;
const GRAPHICS_AT = 0xa0000;
const ROW_BYTES = 160;
const TIMEOUT_MS = 20_000;
const RED = 0xff0000;
/** As v86 makes them of the six bits of a VGA. */
const YELLOW = 0xffff57;
const BLUE = 0x0000a8;
const YELLOW_ON_BLUE = 0x1e;

/** Writes a text into the memory of the screen. */
function writeText(program: Program, row: number, text: string, attribute: number): void {
  for (const [index, character] of [...text].entries()) {
    const cells = character.charCodeAt(0) | (attribute << 8);
    program.raw(0x66, 0xc7, 0x05, ...wordOf(TEXT_AT + row * ROW_BYTES + 2 * index), cells & 0xff, cells >> 8);
  }
}

const wordOf = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/**
 * Shows text, waits for a key, draws, and writes the codes of four more keys to the serial line.
 */
function guest(): Program {
  const program = new Program();
  writeText(program, 2, 'Hello, screen!', YELLOW_ON_BLUE);
  // The cursor is out of sight.
  program.out(0x3d4, 1, 0x0a).out(0x3d5, 1, 0x20).enableKeyboard().print('text\n').readKeyboard();
  program.graphicsMode().colour(1, 63, 0, 0).colour(2, 0, 63, 0);
  program.fill(GRAPHICS_AT, 1, 320 * 100).fill(GRAPHICS_AT + 320 * 100, 2, 320 * 100);
  program.poke(GRAPHICS_AT + 320 * 199 + 316, 0x0102_0102).print('graphics\n');
  for (let key = 0; key < 5; key++) program.readKeyboard().writeSerial();
  return program.halt();
}

test('a machine shows text and graphics, and hears keys, at sessions and for people', async () => {
  const config = '<kernel rom="linux"/> <serial/> <control/> <display/>';
  const roms = { linux: guest().kernel() };
  const system = new MachineSystem(config, { roms, ram: '48M', hasScreen: true });
  await system.until('text\n');
  const text = readPng((await system.answer('screen')).content ?? new Uint8Array(0));
  expect([text.width, text.height]).toEqual([720, 400]);
  expect(textOn(text).filter((line) => line !== '')).toEqual(['Hello, screen!']);
  expect(textOn(text)[2]).toBe('Hello, screen!');
  // The stem of the H, and the gap behind it.
  expect([text.at(1, 36), text.at(8, 36), text.at(0, 0)]).toEqual([YELLOW, BLUE, 0]);
  await expect.poll(() => system.picture.width, { timeout: TIMEOUT_MS }).toBe(720);
  await expect.poll(() => system.picture.pixels[36 * 720 + 1], { timeout: TIMEOUT_MS }).toBe(YELLOW);

  // The key that is awaited is pressed and released: the release is read after the picture.
  expect(await system.ask('key', 'enter')).toBeUndefined();
  await system.until('graphics\n');
  const graphics = readPng((await system.answer('screen')).content ?? new Uint8Array(0));
  expect([graphics.width, graphics.height]).toEqual([320, 200]);
  const corners = [graphics.at(0, 0), graphics.at(319, 99), graphics.at(0, 100), graphics.at(317, 199)];
  expect(corners).toEqual([RED, RED, 0x00ff00, RED]);
  await expect.poll(() => system.picture.pixels.length, { timeout: TIMEOUT_MS }).toBe(64_000);
  await expect.poll(() => system.picture.pixels[63_999], { timeout: TIMEOUT_MS }).toBe(RED);
  expect(system.picture.pixels[63_998]).toBe(0x00ff00);

  expect(await system.ask('type', 'a €')).toMatch(/no key for "€"/);
  expect(await system.ask('key', 'ctrl-nosuch')).toMatch(/no key "nosuch"/);
  system.input({ kind: 'press', code: keyCode('up') });
  system.input({ kind: 'press', code: keyCode('x') });
  system.input({ kind: 'release', code: keyCode('x') });
  await system.ended();
  // The first is the release of Enter; ASCII is left of these numbers.
  expect(system.bytes.slice(-5)).toEqual([0x9c, 0xe0, 0x48, 0x2d, 0xad]);
});
