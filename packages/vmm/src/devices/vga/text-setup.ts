/**
 * What a BIOS writes to the registers of a VGA to set up text mode 3: 80 columns and 25 rows of 16
 * colours. Linux that is started without a BIOS takes the VGA as it finds it.
 */

/** Bytes at I/O ports. */
export interface Ports {
  read(port: number): number;
  write(port: number, value: number): void;
}

const MISCELLANEOUS = 0x3c2;
const SEQUENCER = 0x3c4;
const PALETTE_INDEX = 0x3c8;
const PALETTE_DATA = 0x3c9;
const GRAPHICS = 0x3ce;
const CRT_CONTROLLER = 0x3d4;
const ATTRIBUTES = 0x3c0;
/** Colour mode, clock of 28 MHz, 400 lines. */
const MISCELLANEOUS_VALUE = 0x67;
/** Reading it makes the next write to `ATTRIBUTES` one of an index. */
const STATUS = 0x3da;
const ATTRIBUTES_SHOW = 0x20;
const SEQUENCER_VALUES = [3, 0, 3, 0, 2];
const CRT_VALUES = [
  0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x0e, 0x8f, 0x28,
  0x1f, 0x96, 0xb9, 0xa3, 0xff,
];
const GRAPHICS_VALUES = [0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff];
/** The palette entry of each of the 16 colours, then the mode: 9 pixels wide, joined lines. */
const ATTRIBUTE_VALUES = [
  0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0, 0x0f, 8, 0,
];
/** The 64 colours of an EGA: two bits for each of red, green and blue. */
const PALETTE_COLOURS = 64;
const STRONG = 0x2a;
const WEAK = 0x15;

/** Sets up text mode 3, but for the font. */
export function setUpTextMode(ports: Ports): void {
  const write = (port: number, value: number): void => ports.write(port, value);
  const writeAll = (port: number, values: readonly number[]): void => {
    for (const [index, value] of values.entries()) {
      write(port, index);
      write(port + 1, value);
    }
  };
  write(MISCELLANEOUS, MISCELLANEOUS_VALUE);
  writeAll(SEQUENCER, SEQUENCER_VALUES);
  writeAll(CRT_CONTROLLER, CRT_VALUES);
  writeAll(GRAPHICS, GRAPHICS_VALUES);
  ports.read(STATUS);
  for (const [index, value] of ATTRIBUTE_VALUES.entries()) {
    write(ATTRIBUTES, index);
    write(ATTRIBUTES, value);
  }
  write(ATTRIBUTES, ATTRIBUTES_SHOW);
  write(PALETTE_INDEX, 0);
  for (let colour = 0; colour < PALETTE_COLOURS; colour++) {
    for (const bit of [2, 1, 0]) {
      const strong = (colour >> bit) & 1 ? STRONG : 0;
      const weak = (colour >> (bit + 3)) & 1 ? WEAK : 0;
      write(PALETTE_DATA, strong + weak);
    }
  }
}
