/** A file of a File_system session as the place of a disk image. */
import { type ByteDevice, ImageError } from '@ginit/block/image';
import { hasCode, RpcError } from '@ginit/core';
import type { FileSystemClient, OpenFile } from '@ginit/core/file_system';

/** Errors that mean that there is no room. */
const NO_ROOM = ['No_space', 'Size_limit_reached'];

/** The place. It grows with what is written behind its end. */
export class FileDevice implements ByteDevice {
  readonly writeable: boolean;
  readonly #files: FileSystemClient;
  readonly #file: OpenFile;
  #sizeBytes: number;

  private constructor(files: FileSystemClient, file: OpenFile, sizeBytes: number, writeable: boolean) {
    this.#files = files;
    this.#file = file;
    this.#sizeBytes = sizeBytes;
    this.writeable = writeable;
  }

  /** Opens a file; one that is to be written is made. Rejects with `ImageError`. */
  static async open(files: FileSystemClient, path: string, writeable: boolean): Promise<FileDevice> {
    const options = writeable ? ({ mode: 'read-write', create: 'if-missing' } as const) : {};
    const file = await asImageError(files.open(path, options));
    const { sizeBytes } = await asImageError(file.status());
    return new FileDevice(files, file, sizeBytes, writeable);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    const bytes = await asImageError(this.#file.read(position, into));
    if (bytes < into.byteLength) throw new ImageError('InputOutput', 'the file has become shorter');
  }

  async write(from: Uint8Array, position: number): Promise<void> {
    await asImageError(this.#file.write(position, from));
    this.#sizeBytes = Math.max(this.#sizeBytes, position + from.byteLength);
  }

  sync(): Promise<void> {
    return asImageError(this.#files.sync());
  }

  async setSize(sizeBytes: number): Promise<void> {
    await asImageError(this.#file.truncate(sizeBytes));
    this.#sizeBytes = sizeBytes;
  }

  /** A File_system session has no way to make holes in files. */
  async discard(): Promise<void> {}

  async zero(): Promise<boolean> {
    return false;
  }
}

async function asImageError<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const isFull = NO_ROOM.some((code) => hasCode(error, code));
    throw new ImageError(isFull ? 'NoSpace' : 'InputOutput', error.message);
  }
}
