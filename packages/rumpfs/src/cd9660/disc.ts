import type { BlockBuffer } from '../buffer/block-buffer.ts';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import type { IndexStore } from '../index/index-store.ts';

/** The size of a sector, and of the blocks of the buffer cache. */
export const SECTOR_BYTES = 2048;
const CORRUPTION_LINES_MAX = 16;

/** How names are recorded: by Rock Ridge, in Unicode by Joliet, as of 1999, or as of 1988. */
export type NameKind = 'rock-ridge' | 'joliet' | 'enhanced' | 'plain';

/** The state that every part of a mounted disc works with. */
export class Disc {
  readonly hypercalls: Hypercalls;
  readonly cache: BufferCache;
  readonly indexes: IndexStore;
  /** The unit of the places on the disc, from 512 to 2048 bytes. */
  readonly blockBytes: number;
  readonly names: NameKind;
  /** The bytes in front of the fields of the System Use Sharing Protocol. */
  readonly skipBytes: number;
  readonly deviceBytes: number;
  #corruptions = 0;

  constructor(
    hypercalls: Hypercalls,
    cache: BufferCache,
    indexes: IndexStore,
    form: { readonly blockBytes: number; readonly names: NameKind; readonly skipBytes: number },
  ) {
    this.hypercalls = hypercalls;
    this.cache = cache;
    this.indexes = indexes;
    this.blockBytes = form.blockBytes;
    this.names = form.names;
    this.skipBytes = form.skipBytes;
    const bytes = hypercalls.bio.sectorCount * hypercalls.bio.sectorSizeBytes;
    this.deviceBytes = Math.floor(bytes / SECTOR_BYTES) * SECTOR_BYTES;
  }

  /** The error for a structure that contradicts the format. */
  corrupt(what: string): FsError {
    this.#corruptions += 1;
    const message = `cd9660: ${what}`;
    if (this.#corruptions <= CORRUPTION_LINES_MAX) this.hypercalls.console(message);
    return new FsError('Corrupt', message);
  }

  /** Throws `Corrupt` unless these bytes are on the device. */
  requireBytes(start: number, length: number, owner: string): void {
    if (start >= 0 && length >= 0 && start + length <= this.deviceBytes) return;
    throw this.corrupt(`${owner}: bytes ${start} to ${start + length} are behind the device's end`);
  }

  /** The sector that holds a byte of the device, from memory or from the device. */
  async sectorAt(byte: number): Promise<BlockBuffer> {
    const block = Math.floor(byte / SECTOR_BYTES);
    return this.cache.peek(block) ?? (await this.cache.read(block));
  }
}
