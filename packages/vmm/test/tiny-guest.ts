/**
 * Kernels of a few bytes, which run on a real engine in a moment: they talk over the serial line
 * and do what a test needs of them. They start where Linux would, in 32-bit mode without paging.
 */

const LOAD_ADDRESS = 0x10_0000;
const SERIAL_PORT = 0x3f8;
const ELF_HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;

/** A part of an ELF file for the 386. */
export interface ElfPart {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly memoryBytes?: number;
  readonly type?: number;
  /** Where it thinks to be, if that is not where it lies. */
  readonly virtual?: number;
}

/** An ELF file; its entry is its first part, unless it is told. */
export function elfOf(parts: readonly ElfPart[], entry = parts[0]?.address ?? 0): Uint8Array<ArrayBuffer> {
  const headers = ELF_HEADER_BYTES + parts.length * PROGRAM_HEADER_BYTES;
  const elf = new Uint8Array(headers + parts.reduce((sum, { bytes }) => sum + bytes.byteLength, 0));
  const view = new DataView(elf.buffer);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(24, entry, true);
  view.setUint32(28, ELF_HEADER_BYTES, true);
  view.setUint16(42, PROGRAM_HEADER_BYTES, true);
  view.setUint16(44, parts.length, true);
  let offset = headers;
  for (const [index, { address, bytes, memoryBytes, type = 1, virtual = address }] of parts.entries()) {
    const at = ELF_HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
    const words = [type, offset, virtual, address, bytes.byteLength, memoryBytes ?? bytes.byteLength];
    for (const [word, value] of words.entries()) view.setUint32(at + 4 * word, value, true);
    elf.set(bytes, offset);
    offset += bytes.byteLength;
  }
  return elf;
}

/** A bzImage around a payload, as far as a loader looks at it. */
export function bzImageOf(
  payload: Uint8Array,
  { version = 0x20f, xloadflags = 0 }: { version?: number; xloadflags?: number } = {},
): Uint8Array<ArrayBuffer> {
  const setupSectors = 3;
  const image = new Uint8Array((setupSectors + 1) * 512 + payload.byteLength);
  const view = new DataView(image.buffer);
  image[0x1f1] = setupSectors;
  image[0x201] = 0x66;
  view.setUint32(0x202, 0x5372_6448, true);
  view.setUint16(0x206, version, true);
  view.setUint16(0x236, xloadflags, true);
  view.setUint32(0x24c, payload.byteLength, true);
  image.set(payload, (setupSectors + 1) * 512);
  return image;
}

function u32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

/** Instructions of the 386, one after the other. */
export class Program {
  readonly #bytes: number[] = [];

  /** Writes a text to the serial line. */
  print(text: string): this {
    // jmp over the text; mov esi, text; mov dx, port; lodsb; test al,al; jz +3; out dx,al; jmp back
    const bytes = [...new TextEncoder().encode(text), 0];
    this.#bytes.push(0xe9, ...u32(bytes.length));
    const at = LOAD_ADDRESS + this.#bytes.length;
    this.#bytes.push(...bytes, 0xbe, ...u32(at), 0x66, 0xba, ...u32(SERIAL_PORT).slice(0, 2));
    this.#bytes.push(0xac, 0x84, 0xc0, 0x74, 3, 0xee, 0xeb, 0xf8);
    return this;
  }

  /** Waits for a byte of the serial line; it is in AL afterwards. */
  readSerial(): this {
    // mov dx, port + 5; in al,dx; test al,1; jz back; mov dx, port; in al,dx
    this.#bytes.push(0x66, 0xba, ...u32(SERIAL_PORT + 5).slice(0, 2), 0xec, 0xa8, 1, 0x74, 0xfb);
    this.#bytes.push(0x66, 0xba, ...u32(SERIAL_PORT).slice(0, 2), 0xec);
    return this;
  }

  /** Writes AL to the serial line. */
  writeSerial(): this {
    this.#bytes.push(0x66, 0xba, ...u32(SERIAL_PORT).slice(0, 2), 0xee);
    return this;
  }

  /** Echoes bytes until `last` has come. */
  echoUntil(last: string): this {
    const start = this.#bytes.length;
    this.readSerial().writeSerial();
    // cmp al, last; jne start
    this.#bytes.push(0x3c, last.charCodeAt(0), 0x75);
    this.#bytes.push((start - this.#bytes.length - 1) & 0xff);
    return this;
  }

  /** Writes a byte, a word or a double word to a port. */
  out(port: number, bytes: 1 | 2 | 4, value: number): this {
    this.#bytes.push(0xb8, ...u32(value), 0x66, 0xba, port & 0xff, port >> 8);
    this.#bytes.push(...(bytes === 1 ? [0xee] : bytes === 2 ? [0x66, 0xef] : [0xef]));
    return this;
  }

  /** Waits until this bit of a port is set, or clear. */
  waitFor(port: number, bit: number, isSet: boolean): this {
    // mov dx, port; in al,dx; test al,bit; jz or jnz back to the in
    this.#bytes.push(0x66, 0xba, port & 0xff, port >> 8, 0xec, 0xa8, 1 << bit, isSet ? 0x74 : 0x75, 0xfb);
    return this;
  }

  /** Reads a byte from a port; it is in AL afterwards. */
  inByte(port: number): this {
    this.#bytes.push(0x66, 0xba, port & 0xff, port >> 8, 0xec);
    return this;
  }

  /** Writes a bit of AL to the serial line, as 0 or 1. */
  writeBit(bit: number): this {
    // shr al,bit; and al,1; add al,'0'
    this.#bytes.push(0xc0, 0xe8, bit, 0x24, 1, 0x04, 0x30);
    return this.writeSerial();
  }

  /** Tells the first IDE disk to take its first sector, and waits until it does. */
  beginIdeWrite(): this {
    for (const [port, value] of [
      [0x1f6, 0xe0],
      [0x1f2, 1],
      [0x1f3, 0],
      [0x1f4, 0],
      [0x1f5, 0],
      [0x1f7, 0x30],
    ] as const)
      this.out(port, 1, value);
    return this.waitFor(0x1f7, 3, true);
  }

  /**
   * Writes 0x55 to all bytes of the first sector of the first IDE disk, and waits for its answer.
   */
  writeIdeSector(): this {
    this.beginIdeWrite();
    // mov eax, 0x55555555; mov ecx, 256; mov dx, 0x1f0; out dx,ax; loop back
    this.#bytes.push(0xb8, 0x55, 0x55, 0x55, 0x55, 0xb9, ...u32(256), 0x66, 0xba, 0xf0, 0x01);
    this.#bytes.push(0x66, 0xef, 0xe2, 0xfc);
    // The disk says by its interrupt that it is done; the interrupt controller is asked for it.
    return this.out(0xa0, 1, 0x0a).waitFor(0xa0, 6, true);
  }

  /** Writes four bytes to memory. */
  poke(address: number, value: number): this {
    this.#bytes.push(0xc7, 0x05, ...u32(address), ...u32(value));
    return this;
  }

  /** Writes a byte to so many bytes of memory. */
  fill(address: number, value: number, count: number): this {
    // cld; mov edi, address; mov ecx, count; mov al, value; rep stosb
    this.#bytes.push(0xfc, 0xbf, ...u32(address), 0xb9, ...u32(count), 0xb0, value, 0xf3, 0xaa);
    return this;
  }

  /** Reads a byte from a port; it is in AL afterwards. */
  in(port: number): this {
    this.#bytes.push(0x66, 0xba, port & 0xff, port >> 8, 0xec);
    return this;
  }

  /** Sets graphics mode 13h of a VGA (320 x 200 in 256 colours) as its BIOS would. */
  graphicsMode(): this {
    const indexed = (port: number, values: readonly number[]): void => {
      for (const [index, value] of values.entries()) this.out(port, 1, index).out(port + 1, 1, value);
    };
    this.out(0x3c2, 1, 0x63);
    indexed(0x3c4, [3, 1, 0x0f, 0, 0x0e]);
    indexed(
      0x3d4,
      [
        0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x0e, 0x8f, 0x28,
        0x40, 0x96, 0xb9, 0xa3, 0xff,
      ],
    );
    indexed(0x3ce, [0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff]);
    this.in(0x3da);
    const attributes = [...Array.from({ length: 16 }, (_, index) => index), 0x41, 0, 0x0f, 0, 0];
    for (const [index, value] of attributes.entries()) this.out(0x3c0, 1, index).out(0x3c0, 1, value);
    return this.out(0x3c0, 1, 0x20);
  }

  /** Sets a colour of the VGA's palette; each part is from 0 to 63. */
  colour(index: number, red: number, green: number, blue: number): this {
    return this.out(0x3c8, 1, index).out(0x3c9, 1, red).out(0x3c9, 1, green).out(0x3c9, 1, blue);
  }

  /** Lets the keyboard send keys. */
  enableKeyboard(): this {
    return this.out(0x60, 1, 0xf4).waitFor(0x64, 0, true).in(0x60);
  }

  /** Waits for a byte of the keyboard; it is in AL afterwards. */
  readKeyboard(): this {
    return this.waitFor(0x64, 0, true).in(0x60);
  }

  /** Stops the processor for good. */
  halt(): this {
    this.#bytes.push(0xfa, 0xf4, 0xeb, 0xfd);
    return this;
  }

  /** Bytes as they are. */
  raw(...bytes: readonly number[]): this {
    this.#bytes.push(...bytes);
    return this;
  }

  /** The kernel with this program. */
  kernel(): Uint8Array<ArrayBuffer> {
    return elfOf([{ address: LOAD_ADDRESS, bytes: Uint8Array.from(this.#bytes) }]);
  }
}

const MULTIBOOT_MAGIC = 0x1bad_b002;

/** A program as a kernel by the Multiboot specification. */
export function multibootKernel(program: Program): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(12);
  for (const [index, word] of [MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC].entries())
    new DataView(header.buffer).setUint32(4 * index, word, true);
  const elf = program.kernel();
  // A loader looks for the header in the first bytes of the file, at places that 4 divides.
  const at = Math.ceil(elf.byteLength / 4) * 4;
  const file = new Uint8Array(at + header.byteLength);
  file.set(elf);
  file.set(header, at);
  return file;
}

const SECTOR_BYTES = 512;

/**
 * A boot sector of a floppy disk that writes itself to the second sector by the BIOS,
 * says W, or F if that fails, and halts.
 */
export function bootSector(): Uint8Array<ArrayBuffer> {
  const sector = new Uint8Array(SECTOR_BYTES);
  // xor ax,ax; mov es,ax; mov bx,7c00h; mov ax,0301h; mov cx,2; mov dx,0; int 13h
  sector.set([0x31, 0xc0, 0x8e, 0xc0, 0xbb, 0x00, 0x7c, 0xb8, 0x01, 0x03, 0xb9, 0x02, 0x00]);
  sector.set([0xba, 0x00, 0x00, 0xcd, 0x13], 13);
  // jc failed; mov al,'W'; jmp say; failed: mov al,'F'; say: mov dx,3f8h; out dx,al; cli; hlt
  sector.set([0x72, 0x04, 0xb0, 0x57, 0xeb, 0x02, 0xb0, 0x46, 0xba, 0xf8, 0x03, 0xee, 0xfa, 0xf4], 18);
  sector.set([0x55, 0xaa], SECTOR_BYTES - 2);
  return sector;
}
