/**
 * A Block session as a file: any bytes of it are read and written. A write that covers blocks in
 * part reads them first; nothing else is written meanwhile.
 */
import { BlockClient } from '@ginit/core/block';
import type { SessionOpening } from '@ginit/core';
import { ReaderWriterLock } from '@ginit/core/async';
import { copyInto } from '@ginit/core/packet-stream';
import { fileSystemFailure } from '../../lib/file-system-failure.ts';
import type { SingleFile } from './single-entry.ts';

/** How the session is asked for. */
export interface BlockFileOptions {
  readonly label: string;
  readonly writeable: boolean;
}

/** The file. */
export class BlockFile implements SingleFile {
  readonly unsized = false;
  #client: BlockClient;
  readonly #wanted: boolean;
  readonly #writing = new ReaderWriterLock();
  #changed: (() => void) | undefined;

  private constructor(client: BlockClient, writeable: boolean) {
    this.#client = client;
    this.#wanted = writeable;
    this.#follow(client);
  }

  /** Rejects with `SessionError`. */
  static async open(env: SessionOpening, options: BlockFileOptions): Promise<BlockFile> {
    const { label, writeable } = options;
    const file: BlockFile = new BlockFile(
      await BlockClient.connect(env, {
        label,
        args: { writeable },
        onReattach: (client) => file.#follow(client),
      }),
      writeable,
    );
    return file;
  }

  get writeable(): boolean {
    return this.#wanted && this.#client.info.writeable;
  }

  get sizeBytes(): number {
    const { blockCount, blockSize } = this.#client.info;
    return blockCount * blockSize;
  }

  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    const client = this.#client;
    const length = Math.max(0, Math.min(into.length, this.sizeBytes - position));
    if (length === 0) return 0;
    const { first, count, skip } = blocksOf(position, length, client.info.blockSize);
    if (skip === 0 && length === count * client.info.blockSize) {
      await client.read(first, count, into.subarray(0, length));
      return length;
    }
    const blocks = new Uint8Array(count * client.info.blockSize);
    await client.read(first, count, blocks);
    copyInto(into, blocks.subarray(skip, skip + length));
    return length;
  }

  async write(position: number | undefined, from: Uint8Array): Promise<number> {
    const client = this.#client;
    // There is no end to append at but that of the device.
    const length = Math.min(from.length, this.sizeBytes - (position ?? this.sizeBytes));
    if (position === undefined || length <= 0) throw fileSystemFailure('No_space', 'the end of the device');
    const { blockSize } = client.info;
    const { first, count, skip } = blocksOf(position, length, blockSize);
    const bytes = from.subarray(0, length);
    if (skip === 0 && length === count * blockSize) {
      await this.#writing.shared();
      try {
        await client.write(first, count, bytes);
      } finally {
        this.#writing.releaseShared();
      }
      return length;
    }
    await this.#writing.exclusive();
    try {
      const blocks = new Uint8Array(count * blockSize);
      await client.read(first, 1, blocks.subarray(0, blockSize));
      if (count > 1) await client.read(first + count - 1, 1, blocks.subarray((count - 1) * blockSize));
      copyInto(blocks, bytes, skip);
      await client.write(first, count, blocks);
    } finally {
      this.#writing.releaseExclusive();
    }
    return length;
  }

  /** A device keeps its size: what is cut for it to be overwritten stays. */
  async truncate(sizeBytes: number): Promise<void> {
    if (sizeBytes > this.sizeBytes) throw fileSystemFailure('No_space', 'the end of the device');
  }

  async sync(): Promise<void> {
    await this.#client.sync();
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  #follow(client: BlockClient): void {
    this.#client = client;
    client.onInfoChanged(() => this.#changed?.());
    this.#changed?.();
  }
}

function blocksOf(
  position: number,
  length: number,
  blockSize: number,
): { readonly first: number; readonly count: number; readonly skip: number } {
  const first = Math.floor(position / blockSize);
  const end = Math.ceil((position + length) / blockSize);
  return { first, count: end - first, skip: position - first * blockSize };
}
