/** How text modes are drawn, the font, and what a keyboard sends. */
import { describe, expect, test } from 'vitest';
import { scancodesOf } from '../src/devices/scancodes.ts';
import { FONT, FONT_LINES } from '../src/devices/vga/font.ts';
import { DrawnPicture } from '../src/devices/vga/picture.ts';
import { drawText, type TextScreen, textPictureSize } from '../src/devices/vga/text-mode.ts';
import { fontSource } from './screen-text.ts';

test('the font is that of its source', () => {
  const source = fontSource();
  expect(FONT.byteLength).toBe(256 * FONT_LINES);
  for (let code = 0; code < 256; code++)
    expect([...FONT.subarray(code * FONT_LINES, (code + 1) * FONT_LINES)]).toEqual(source.get(code));
});

/**
 * Two cells of two lines: character 1 is a checkerboard, 0xc4 a line, in the second font all dots.
 */
function screen(changes: Partial<TextScreen> = {}): TextScreen {
  const first = new Uint8Array(8192);
  first.set([0xaa, 0x55], 32);
  first.set([0xff, 0x01], 0xc4 * 32);
  return {
    columns: 2,
    rows: 1,
    cellWidth: 8,
    cellHeight: 2,
    cells: Uint8Array.from([1, 0x1f, 0xc4, 0x9e]),
    firstCell: 0,
    rowCells: 2,
    fonts: [first, new Uint8Array(8192).fill(0xff)],
    hasTwoFonts: false,
    blinks: false,
    joinsLines: true,
    colours: Uint32Array.from({ length: 16 }, (_, index) => index),
    cursor: undefined,
    ...changes,
  };
}

/** The picture as digits of its colours, line by line. */
function drawn(changes: Partial<TextScreen> = {}): string[] {
  const described = screen(changes);
  const { width, height } = textPictureSize(described);
  const pixels = new Uint32Array(width * height);
  drawText(described, pixels);
  return Array.from({ length: height }, (_, y) =>
    [...pixels.subarray(y * width, (y + 1) * width)].map((colour) => colour.toString(16)).join(''),
  );
}

describe('a screen in text mode', () => {
  test('has the characters in their colours', () => {
    expect(drawn()).toEqual(['f1f1f1f1eeeeeeee', '1f1f1f1f9999999e']);
  });

  test('has a dark background where it may blink, and shows what would', () => {
    expect(drawn({ blinks: true })[1]).toBe('1f1f1f1f1111111e');
  });

  test('has a ninth column, joined for lines only, and wide cells', () => {
    expect(drawn({ cellWidth: 9 })).toEqual(['f1f1f1f11eeeeeeeee', '1f1f1f1f19999999ee']);
    expect(drawn({ cellWidth: 9, joinsLines: false })[0]).toBe('f1f1f1f11eeeeeeee9');
    expect(drawn({ cellWidth: 16 })[1]).toBe('11ff11ff11ff11ff99999999999999ee');
  });

  test('shows the cursor, and the second font where bit 3 asks for it', () => {
    expect(drawn({ cursor: { cell: 0, firstLine: 1, lastLine: 1 } })).toEqual([
      'f1f1f1f1eeeeeeee',
      'ffffffff9999999e',
    ]);
    const twice = { hasTwoFonts: true, cells: Uint8Array.from([1, 0x1f, 1, 0x17]) };
    expect(drawn(twice)).toEqual(['7171717177777777', '1717171777777777']);
  });

  test('begins where the guest says, and has nothing beyond the memory', () => {
    expect(drawn({ firstCell: 1 })).toEqual(['eeeeeeee00000000', '9999999e00000000']);
  });
});

test('a picture knows which lines have changed, and cuts off what lies outside', () => {
  const picture = new DrawnPicture();
  picture.resize(4, 3);
  expect(picture.takeChange()).toEqual({ x: 0, y: 0, width: 4, height: 3 });
  picture.drawLine(1, 2, Uint32Array.of(7, 8, 9));
  picture.drawLine(2, -1, Uint32Array.of(5, 6));
  picture.drawLine(3, 0, Uint32Array.of(1));
  picture.drawLine(0, 4, Uint32Array.of(1));
  expect([...picture.pixels]).toEqual([0, 0, 0, 0, 0, 0, 7, 8, 6, 0, 0, 0]);
  expect(picture.takeChange()).toEqual({ x: 0, y: 1, width: 4, height: 2 });
  picture.drawLine(1, 2, Uint32Array.of(7, 8));
  picture.resize(4, 3);
  expect(picture.takeChange()).toBeUndefined();
});

test('a keyboard sends what that of a PC does', () => {
  expect(scancodesOf(30, true)).toEqual([0x1e]);
  expect(scancodesOf(30, false)).toEqual([0x9e]);
  expect(scancodesOf(103, true)).toEqual([0xe0, 0x48]);
  expect(scancodesOf(103, false)).toEqual([0xe0, 0xc8]);
  expect(scancodesOf(119, true)).toEqual([0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
  expect(scancodesOf(119, false)).toEqual([]);
  expect(scancodesOf(0x110, true)).toEqual([]);
});
