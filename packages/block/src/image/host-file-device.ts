/** A file of the host as the place of an image. */
import { RpcError } from '@ginit/core';
import type { HostFile } from '@ginit/core/host';
import type { ByteDevice } from './byte-device.ts';
import { ImageError } from './image-error.ts';

/** The place. It grows with what is written behind its end. */
export class HostFileDevice implements ByteDevice {
  readonly #file: HostFile;
  #sizeBytes: number;
  #syncFailure: { readonly error: unknown } | undefined;

  constructor(file: HostFile) {
    this.#file = file;
    this.#sizeBytes = file.sizeBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get writeable(): boolean {
    return this.#file.writeable;
  }

  read(into: Uint8Array, position: number): Promise<void> {
    return asImageError(this.#file.read(into, position));
  }

  async write(from: Uint8Array, position: number): Promise<void> {
    await asImageError(this.#file.write(from, position));
    this.#sizeBytes = Math.max(this.#sizeBytes, position + from.byteLength);
  }

  /** After a failure it always fails: the host may have lost writes, and says so only once. */
  async sync(): Promise<void> {
    this.#checkSyncs();
    try {
      await asImageError(this.#file.sync());
    } catch (error) {
      this.#syncFailure ??= { error };
      throw error;
    }
    // One that began before the failure may end after it.
    this.#checkSyncs();
  }

  #checkSyncs(): void {
    if (this.#syncFailure) throw this.#syncFailure.error;
  }

  async setSize(sizeBytes: number): Promise<void> {
    await asImageError(this.#file.resize(sizeBytes));
    this.#sizeBytes = sizeBytes;
  }

  async discard(position: number, length: number): Promise<void> {
    await asImageError(this.#file.discard(position, length));
  }

  zero(position: number, length: number): Promise<boolean> {
    return asImageError(this.#file.zero(position, length));
  }

  /** Has `handler` called when somebody else has changed the size. The result ends that. */
  onResized(handler: () => void): () => void {
    return this.#file.onResized(() => {
      void this.#look().then((changed) => {
        if (changed) handler();
      });
    });
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #look(): Promise<boolean> {
    const sizeBytes = await this.#file.size().catch(() => this.#sizeBytes);
    const changed = sizeBytes !== this.#sizeBytes;
    this.#sizeBytes = sizeBytes;
    return changed;
  }
}

async function asImageError<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new ImageError(error.code === 'NoSpace' ? 'NoSpace' : 'InputOutput', error.message);
  }
}
