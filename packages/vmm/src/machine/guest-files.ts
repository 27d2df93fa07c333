/** The files that a machine starts with: ROM modules, or files of a File_system session. */
import { type Env, hasCode, Rom, RomClient, RpcError } from '@ginit/core';
import { FileSystemClient, type OpenFile } from '@ginit/core/file_system';
import { refusedAt } from './refused.ts';
import type { FileConfig } from './schema.ts';

/** The largest of them. */
const FILE_BYTES_MAX = 256 * 1024 * 1024;

/** Reads what the config names. */
export class GuestFiles {
  readonly #env: Pick<Env, 'connect' | 'close'>;
  #files: Promise<FileSystemClient> | undefined;

  constructor(env: Pick<Env, 'connect' | 'close'>) {
    this.#env = env;
  }

  /** Opens a file of the File_system session. Rejects with its errors, or `SessionError`. */
  async open(path: string): Promise<{ readonly sizeBytes: number; readonly file: OpenFile }> {
    this.#files ??= this.#connect();
    // A session that was not to be had may be there the next time.
    const files = await this.#files.catch((error: unknown) => {
      this.#files = undefined;
      throw error;
    });
    const file = await files.open(path);
    return { sizeBytes: (await file.status()).sizeBytes, file };
  }

  #connect(): Promise<FileSystemClient> {
    return FileSystemClient.connect(this.#env, { label: 'files', writeable: false });
  }

  /** The content. Throws a `ConfigError` at the element if it is not to be had. */
  async read(place: FileConfig): Promise<Uint8Array> {
    const { rom, file, $node: node } = place;
    if (rom !== undefined && file !== undefined)
      throw node.errorAt('rom and file exclude each other', 'file');
    if (rom !== undefined) return this.#readRom(rom, place);
    if (file !== undefined) return this.#readFile(file, place);
    throw node.errorAt(`<${node.type}> needs rom or file`);
  }

  /** Closes the session with the files, if there is one. */
  async close(): Promise<void> {
    const files = await this.#files;
    await files?.close();
  }

  async #readRom(name: string, { $node: node }: FileConfig): Promise<Uint8Array> {
    const session = await this.#env
      .connect(Rom, { label: name })
      .catch(refusedAt(node, 'rom', `there is no ROM module "${name}"`));
    try {
      const content = await new RomClient(session).content().catch((error: unknown) => {
        if (!(error instanceof RpcError) || hasCode(error, 'PeerGone')) throw error;
        const instead = 'the File_system session "files" has room for more: use file';
        throw node.errorAt(`the ROM module "${name}" cannot be read: ${error.message}; ${instead}`, 'rom');
      });
      if (content === undefined || content.byteLength === 0) {
        throw node.errorAt(`there is nothing in the ROM module "${name}"`, 'rom');
      }
      return content;
    } finally {
      await this.#env.close(session);
    }
  }

  async #readFile(path: string, { $node: node }: FileConfig): Promise<Uint8Array> {
    this.#files ??= this.#connect();
    const files = await this.#files.catch(refusedAt(node, 'file', 'there is no File_system session "files"'));
    try {
      return await files.readFile(path, FILE_BYTES_MAX);
    } catch (error) {
      if (hasCode(error, 'PeerGone')) throw error;
      throw node.errorAt(
        `"${path}" cannot be read: ${error instanceof Error ? error.message : error}`,
        'file',
      );
    }
  }
}
