/** Where the state of a machine is kept: a file of a File_system session. */
import { type Env, hasCode, RpcError } from '@ginit/core';
import { FileSystemClient } from '@ginit/core/file_system';
import { StateReader, StateWriter } from '../state/state-file.ts';
import { StateError } from '../state/state-stream.ts';
import { refusedAt } from './refused.ts';
import type { StateConfig } from './schema.ts';

/** The buffer of the session: a frame of the file at a time. */
const BUFFER_BYTES = 1024 * 1024;
/** The name that a state has until it is whole. */
const UNFINISHED = '.unfinished';

/** The file of a machine. */
export class StatePlace {
  /** Its path. */
  readonly file: string;
  readonly #files: FileSystemClient;

  private constructor(file: string, files: FileSystemClient) {
    this.file = file;
    this.#files = files;
  }

  /** Opens the session. Throws a `ConfigError` if it is not to be had. */
  static async connect(
    env: Pick<Env, 'connect' | 'close'>,
    { file, label, $node: node }: StateConfig,
  ): Promise<StatePlace> {
    const files = await FileSystemClient.connect(env, {
      label,
      writeable: true,
      bufferBytes: BUFFER_BYTES,
    }).catch(refusedAt(node, 'label', `there is no File_system session "${label}"`));
    return new StatePlace(file, files);
  }

  /** Whether there is a state. Rejects with `StateError` if that cannot be found out. */
  async exists(): Promise<boolean> {
    try {
      await this.#files.stat(this.file);
      return true;
    } catch (error) {
      if (hasCode(error, 'Lookup_failed')) return false;
      throw this.#failure('be looked for', error);
    }
  }

  /**
   * Writes a state. It takes the place of the one before when it is whole and on stable storage.
   * The result is its size.
   */
  async write(save: (into: StateWriter) => Promise<void>): Promise<number> {
    const unfinished = `${this.file}${UNFINISHED}`;
    try {
      const sizeBytes = await this.#files.withFile(
        unfinished,
        { mode: 'write-only', create: 'if-missing' },
        async (file) => {
          await file.truncate(0);
          const writer = new StateWriter(file);
          await writer.begin();
          await save(writer);
          await writer.end();
          return writer.sizeBytes;
        },
      );
      await this.#files.sync();
      await this.#files.rename(unfinished, this.file);
      await this.#files.sync();
      return sizeBytes;
    } catch (error) {
      await this.#files.unlink(unfinished).catch(() => {});
      throw this.#failure('be written', error);
    }
  }

  /** Reads the state. Rejects with `StateError`, which names the file. */
  async read<Result>(use: (from: StateReader) => Promise<Result>): Promise<Result> {
    try {
      return await this.#files.withFile(this.file, {}, async (file) => {
        const reader = new StateReader(file);
        try {
          await reader.begin();
          return await use(reader);
        } finally {
          await reader.settled();
        }
      });
    } catch (error) {
      throw this.#failure('be used', error);
    }
  }

  /** It was used up. */
  async remove(): Promise<void> {
    try {
      await this.#files.unlink(this.file);
      await this.#files.sync();
    } catch (error) {
      throw this.#failure('be removed', error);
    }
  }

  #failure(what: string, error: unknown): unknown {
    const isOurs = error instanceof StateError || error instanceof RpcError;
    if (!isOurs) return error;
    return new StateError(`the state "${this.file}" cannot ${what}: ${error.message}`);
  }
}
