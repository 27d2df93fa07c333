/** Reads the text on a picture of a screen: its cells are compared with the font, dot by dot. */
import { readFileSync } from 'node:fs';
import type { ReadPicture } from '../../../test/harness/png.ts';

const FONT_FILE = new URL('../font/spleen-8x16-ibm-437.bdf', import.meta.url);

/**
 * The lines of each character in the source of the font, which is not what the monitor draws from.
 */
export function fontSource(): ReadonlyMap<number, readonly number[]> {
  const glyphs = new Map<number, readonly number[]>();
  const text = readFileSync(FONT_FILE, 'latin1');
  for (const [, code = '', rows = ''] of text.matchAll(/ENCODING (\d+)\n[^]*?BITMAP\n([^]*?)ENDCHAR/g))
    glyphs.set(
      Number(code),
      rows
        .trim()
        .split('\n')
        .map((row) => Number.parseInt(row, 16)),
    );
  return glyphs;
}

const GLYPH_BYTES = 16;
const CAPITAL_A = [0, 0, 0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe, 0xc6, 0xc6, 0xc6, 0xc6, 0, 0, 0, 0];

/** The lines of each character in a BIOS of a VGA: it has the font of the first ones. */
export function fontOfBios(bios: Uint8Array): ReadonlyMap<number, readonly number[]> {
  const first = Buffer.from(bios).indexOf(Buffer.from(CAPITAL_A)) - GLYPH_BYTES * 0x41;
  const glyph = (code: number): number[] => [
    ...bios.subarray(first + code * GLYPH_BYTES, first + (code + 1) * GLYPH_BYTES),
  ];
  return new Map(Array.from({ length: 0x5f }, (_, index) => [0x20 + index, glyph(0x20 + index)]));
}

/** The rows of text on a picture with cells of 9 x 16 pixels, without the blanks at their ends. */
export function textOn(picture: ReadPicture, font = fontSource()): string[] {
  const codes = new Map([...font].map(([code, rows]) => [rows.join(), code]));
  codes.set(Array.from({ length: 16 }, () => 0).join(), 0x20);
  return Array.from({ length: picture.height / 16 }, (_row, row) => {
    const cells = Array.from({ length: picture.width / 9 }, (_column, column) =>
      cellAt(picture, column, row),
    );
    return cells
      .map((cell) => String.fromCharCode(codes.get(cell) ?? 0x3f))
      .join('')
      .trimEnd();
  });
}

function cellAt(picture: ReadPicture, column: number, row: number): string {
  // The ninth dot is always of the background.
  const background = picture.at(column * 9 + 8, row * 16);
  return Array.from({ length: 16 }, (_line, line) => {
    let bits = 0;
    for (let x = 0; x < 8; x++) {
      bits = (bits << 1) | (picture.at(column * 9 + x, row * 16 + line) === background ? 0 : 1);
    }
    return bits;
  }).join();
}
