/**
 * Draws the screen of a VGA in text mode (IBM VGA technical reference; FreeVGA): columns and rows
 * of cells, each with a character and its colours, in the font that the guest or its BIOS has
 * loaded into plane 2. Nothing blinks: what would is always there, so that the same screen always
 * gives the same picture.
 */

/** A screen in text mode. */
export interface TextScreen {
  readonly columns: number;
  readonly rows: number;
  /** Pixels of a cell; 9 wide is 8 with a gap, 16 wide doubles each pixel. */
  readonly cellWidth: 8 | 9 | 16;
  readonly cellHeight: number;
  /** Characters and attributes, two bytes a cell. */
  readonly cells: Uint8Array;
  /** The first cell that is shown, and the number of cells from one row to the next. */
  readonly firstCell: number;
  readonly rowCells: number;
  /** 32 bytes a character, one for each line; from the beginning of each of the two fonts on. */
  readonly fonts: readonly [Uint8Array, Uint8Array];
  /** Bit 3 of an attribute chooses the font, instead of a bright colour. */
  readonly hasTwoFonts: boolean;
  /** Bit 7 of an attribute makes its character blink, instead of a bright background. */
  readonly blinks: boolean;
  /** The ninth column of the characters that draw lines is the eighth once more. */
  readonly joinsLines: boolean;
  /** The 16 colours, as 0xRRGGBB. */
  readonly colours: Uint32Array;
  /** The cell with the cursor, and its lines; missing if it does not show. */
  readonly cursor:
    | { readonly cell: number; readonly firstLine: number; readonly lastLine: number }
    | undefined;
}

/** Bytes of a character in the font of a VGA, whatever its height. */
export const GLYPH_BYTES = 32;
/** The characters of code page 437 that draw horizontal lines. */
const LINES_FIRST = 0xc0;
const LINES_LAST = 0xdf;
const BRIGHT = 8;

/** The size of the picture of a screen, in pixels. */
export function textPictureSize(screen: TextScreen): { readonly width: number; readonly height: number } {
  return { width: screen.columns * screen.cellWidth, height: screen.rows * screen.cellHeight };
}

/** Draws a screen; `into` has a word for each pixel, line after line, as 0xRRGGBB. */
export function drawText(screen: TextScreen, into: Uint32Array): void {
  for (let row = 0; row < screen.rows; row++) {
    for (let column = 0; column < screen.columns; column++) drawCell(screen, row, column, into);
  }
}

function drawCell(screen: TextScreen, row: number, column: number, into: Uint32Array): void {
  const { cells, cellHeight, cellWidth, colours, cursor, hasTwoFonts } = screen;
  const cell = screen.firstCell + row * screen.rowCells + column;
  const character = cells[2 * cell] ?? 0;
  const attribute = cells[2 * cell + 1] ?? 0;
  const foreground = colours[attribute & (hasTwoFonts ? 7 : 15)] ?? 0;
  const background = colours[(attribute >> 4) & (screen.blinks ? 7 : 15)] ?? 0;
  const font = screen.fonts[hasTwoFonts && (attribute & BRIGHT) === 0 ? 1 : 0];
  const isLine = screen.joinsLines && character >= LINES_FIRST && character <= LINES_LAST;
  const stride = screen.columns * cellWidth;
  for (let line = 0; line < cellHeight; line++) {
    const hasCursor = cursor?.cell === cell && line >= cursor.firstLine && line <= cursor.lastLine;
    const bits = hasCursor ? 0xff : (font[character * GLYPH_BYTES + line] ?? 0);
    const at = (row * cellHeight + line) * stride + column * cellWidth;
    for (let x = 0; x < cellWidth; x++) {
      const isSet =
        cellWidth === 9 && x === 8 ? isNinthSet(bits, isLine, hasCursor) : isBitSet(bits, x, cellWidth);
      into[at + x] = isSet ? foreground : background;
    }
  }
}

function isBitSet(bits: number, x: number, cellWidth: number): boolean {
  return ((bits << (cellWidth === 16 ? x >> 1 : x)) & 0x80) !== 0;
}

function isNinthSet(bits: number, isLine: boolean, hasCursor: boolean): boolean {
  return hasCursor || (isLine && (bits & 1) !== 0);
}
