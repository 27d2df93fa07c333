/**
 * The screen of v86 as a picture. v86 draws graphics itself, into a buffer in its own memory, and
 * tells a "screen adapter" which parts to show; in text mode it tells that of each character. Here
 * the adapter only notes that something has changed: text is drawn from the state of the VGA, in
 * the font that the guest has loaded.
 */
import type { FramebufferMode, Rectangle } from '@ginit/core/framebuffer';
import { DrawnPicture, type Picture } from '../../devices/vga/picture.ts';
import { drawText, type TextScreen, textPictureSize } from '../../devices/vga/text-mode.ts';
import type { V86Cpu, V86Layer, V86ScreenAdapter, V86Vga } from './internals.ts';

const PIXEL_BYTES = 4;
/** Graphics of a plain VGA: v86 keeps all lines that its 256 KiB may have, not only those shown. */
const VGA_BUFFER_BYTES = 640 * 1640 * PIXEL_BYTES;
/** The least memory of a VGA that v86 takes. */
export const VGA_MEMORY_BYTES_MIN = 256 * 1024;
const COLOURS = 16;
const FONT_BYTES = 8192;
/** Where each of the eight fonts lies in plane 2, by its number in the sequencer. */
const FONT_PLACES = [0, 2, 4, 6, 1, 3, 5, 7];
const BLINKS = 8;
const JOINS_LINES = 4;
const DOUBLE_WIDTH = 8;
const EIGHT_WIDE = 1;
const SCREEN_OFF = 0x20;
const CURSOR_OFF = 0x20;
const LOW_FIVE = 0x1f;

/** The memory of the VGA for pictures up to this size: a power of two. */
export function vgaMemoryBytes(largest: FramebufferMode | undefined): number {
  const bytes = largest ? largest.width * largest.height * PIXEL_BYTES : 0;
  return Math.max(VGA_MEMORY_BYTES_MIN, 2 ** Math.ceil(Math.log2(Math.max(1, bytes))));
}

/** All that a screen takes for pictures up to this size. */
export function screenBytes(largest: FramebufferMode): number {
  const picture = largest.width * largest.height * PIXEL_BYTES;
  return vgaMemoryBytes(largest) + Math.max(picture, VGA_BUFFER_BYTES) + picture;
}

/** The picture that v86 shows. */
export class V86Screen {
  readonly #cpu: V86Cpu;
  readonly #largest: FramebufferMode;
  readonly #picture = new DrawnPicture();
  #isTextDirty = true;

  /** Takes the place of v86's own screen; no picture becomes larger than `largest`. */
  constructor(cpu: V86Cpu, largest: FramebufferMode) {
    this.#cpu = cpu;
    this.#largest = largest;
    cpu.devices.vga.screen = this.#adapter();
  }

  get picture(): Picture {
    return this.#picture;
  }

  /** Brings the picture up to date; the result is what has changed since the last call. */
  update(): Rectangle | undefined {
    const vga = this.#cpu.devices.vga;
    if (vga.graphical_mode) this.#drawGraphics(vga);
    // This also lets time pass for programs that wait for the end of a picture.
    else vga.screen_fill_buffer();
    if (!vga.graphical_mode && this.#isTextDirty) this.#drawText(textScreenOf(vga));
    return this.#picture.takeChange();
  }

  #drawGraphics(vga: V86Vga): void {
    this.#isTextDirty = true;
    if (!vga.image_data) return this.#picture.clear();
    // The memory of v86 has grown, and this lay in the old one.
    if (vga.image_data.data.byteLength === 0) this.#placeBuffer(vga);
    this.#picture.resize(vga.screen_width, vga.screen_height);
    vga.screen_fill_buffer();
  }

  #drawText(screen: TextScreen): void {
    this.#isTextDirty = false;
    const { width, height } = textPictureSize(screen);
    if (!this.#fits(width, height)) return;
    const pixels = new Uint32Array(width * height);
    drawText(screen, pixels);
    this.#picture.resize(width, height);
    for (let y = 0; y < height; y++)
      this.#picture.drawLine(y, 0, pixels.subarray(y * width, (y + 1) * width));
  }

  #fits(width: number, height: number): boolean {
    return width * height <= this.#largest.width * this.#largest.height;
  }

  /** v86 has changed its mode: it draws into a buffer of this size, if there is room for that. */
  #makeBuffer(width: number, height: number, bufferWidth: number, bufferHeight: number): void {
    const vga = this.#cpu.devices.vga;
    const bytes = bufferWidth * bufferHeight * PIXEL_BYTES;
    const isRoom =
      bytes <= Math.max(VGA_BUFFER_BYTES, this.#largest.width * this.#largest.height * PIXEL_BYTES);
    if (!isRoom || !this.#fits(width, height)) {
      vga.image_data = null;
      return;
    }
    vga.dest_buffet_offset = this.#cpu.svga_allocate_dest_buffer(bufferWidth * bufferHeight) >>> 0;
    this.#placeBuffer(vga);
    this.#cpu.svga_mark_dirty();
  }

  #placeBuffer(vga: V86Vga): void {
    const [width, height] = [vga.virtual_width, vga.virtual_height];
    const { buffer } = this.#cpu.wasm_memory;
    const data = new Uint8ClampedArray(buffer, vga.dest_buffet_offset, width * height * PIXEL_BYTES);
    vga.image_data = { data, width, height };
    vga.update_layers();
  }

  #drawLayers(layers: readonly V86Layer[]): void {
    for (const layer of layers) {
      const { data, width, height } = layer.image_data;
      if (data.byteLength === 0) continue;
      const words = new Uint32Array(data.buffer, data.byteOffset, width * height);
      const count = Math.min(layer.buffer_width, width - layer.buffer_x);
      if (count <= 0) continue;
      const line = new Uint32Array(count);
      for (let row = 0; row < layer.buffer_height; row++) {
        const y = layer.buffer_y + row;
        if (y < 0 || y >= height || layer.screen_y + row >= this.#picture.height) continue;
        const from = y * width + layer.buffer_x;
        for (let x = 0; x < count; x++) line[x] = withoutOrder(words[from + x] ?? 0);
        this.#picture.drawLine(layer.screen_y + row, layer.screen_x, line);
      }
    }
  }

  #adapter(): V86ScreenAdapter {
    const changed = (): void => {
      this.#isTextDirty = true;
    };
    return {
      FLAG_BLINKING: 1,
      FLAG_FONT_PAGE_B: 2,
      put_char: changed,
      set_mode: changed,
      set_font_bitmap: changed,
      set_font_page: changed,
      set_size_text: changed,
      update_cursor: changed,
      update_cursor_scanline: changed,
      clear_text_state: changed,
      clear_screen: () => {
        if (this.#cpu.devices.vga.graphical_mode) this.#picture.clear();
        else changed();
      },
      set_size_graphical: (width, height, bufferWidth, bufferHeight) =>
        this.#makeBuffer(width, height, bufferWidth, bufferHeight),
      update_buffer: (layers) => this.#drawLayers(layers),
      set_scale: () => {},
      get_text_screen: () => [],
      get_text_row: () => '',
      pause: () => {},
      continue: () => {},
      destroy: () => {},
    };
  }
}

/** v86 has red in the lowest byte, and we have blue there. */
function withoutOrder(word: number): number {
  return ((word & 0xff) << 16) | (word & 0xff00) | ((word >>> 16) & 0xff);
}

/** The state of a VGA in text mode. */
function textScreenOf(vga: V86Vga): TextScreen {
  const height = (vga.max_scan_line & LOW_FIVE) + 1;
  const select = vga.character_map_select;
  const first = ((select >> 2) & 3) | ((select >> 3) & 4);
  const second = (select & 3) | ((select >> 2) & 4);
  const isOn = vga.palette_source !== 0 && (vga.clocking_mode & SCREEN_OFF) === 0;
  const colourAt = (index: number): number =>
    vga.vga256_palette[vga.dac_mask & (vga.dac_map[index] ?? 0)] ?? 0;
  const firstLine = vga.cursor_scanline_start & LOW_FIVE;
  const lastLine = Math.min(height - 1, vga.cursor_scanline_end & LOW_FIVE);
  const showsCursor = (vga.cursor_scanline_start & CURSOR_OFF) === 0 && firstLine <= lastLine;
  return {
    columns: vga.max_cols,
    rows: vga.max_rows,
    cellHeight: height,
    cellWidth: (vga.clocking_mode & DOUBLE_WIDTH) !== 0 ? 16 : (vga.clocking_mode & EIGHT_WIDE) !== 0 ? 8 : 9,
    cells: vga.vga_memory,
    firstCell: vga.start_address,
    rowCells: Math.max(vga.max_cols, vga.offset_register * 2),
    fonts: [fontAt(vga.plane2, first), fontAt(vga.plane2, second)],
    hasTwoFonts: first !== second,
    blinks: (vga.attribute_mode & BLINKS) !== 0,
    joinsLines: (vga.attribute_mode & JOINS_LINES) !== 0,
    colours: Uint32Array.from({ length: COLOURS }, (_, index) => (isOn ? colourAt(index) : 0)),
    cursor: showsCursor ? { cell: vga.cursor_address, firstLine, lastLine } : undefined,
  };
}

function fontAt(plane: Uint8Array, number: number): Uint8Array {
  const place = (FONT_PLACES[number] ?? 0) * FONT_BYTES;
  return plane.subarray(place, place + FONT_BYTES);
}
