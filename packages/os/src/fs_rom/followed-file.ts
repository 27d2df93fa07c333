/**
 * One file as a ROM module. The file is watched, and so is every directory on the way to it:
 * whoever replaces one of them by renaming another leaves the one that is watched behind. After
 * each change all of this is looked up anew.
 */
import { type Env, hasCode, RpcError, type RomModule } from '@ginit/core';
import { Rounds } from '@ginit/core/async';
import type { FileSystemClient, NodeWatch } from '@ginit/core/file_system';
import { ChargedRom, ROM_BYTES_MAX } from '../lib/charged-rom.ts';

/** Errors that mean that there is no such file now. */
const ABSENT = ['Lookup_failed', 'Not_a_directory', 'Too_many_symlinks', 'Invalid_name'];

/** The part of `env` that following a file uses. */
export type FollowingEnv = Pick<Env, 'pd' | 'ram' | 'warning'>;

/** A file that is followed until it is closed. */
export class FollowedFile {
  readonly #env: FollowingEnv;
  #client: FileSystemClient;
  readonly #path: string;
  readonly #rom: ChargedRom;
  readonly #looking = new Rounds(() => this.#look());
  #watches: NodeWatch[] = [];
  /** Whether watches are being set up: what they say at their beginning is no news. */
  #watching = false;
  #closed = false;

  constructor(env: FollowingEnv, client: FileSystemClient, path: string) {
    this.#env = env;
    this.#client = client;
    this.#path = path;
    this.#rom = new ChargedRom(env);
  }

  /** The module. */
  get rom(): RomModule {
    return this.#rom.module;
  }

  /** Settles when the module has what the file has. Never rejects. */
  async look(): Promise<void> {
    try {
      await this.#looking.request();
    } catch (error) {
      if (this.#closed) return;
      const reason = error instanceof RpcError ? error.message : String(error);
      void this.#env.warning(`"${this.#path}" cannot be followed: ${reason}`);
    }
  }

  /** Follows the file of the same path in another file system, and settles as `look` does. */
  async moveTo(client: FileSystemClient): Promise<void> {
    this.#client = client;
    await this.look();
  }

  /** Ends the following. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#looking.request().catch(() => {});
  }

  async #look(): Promise<void> {
    const outdated = this.#watches;
    this.#watches = [];
    try {
      if (!this.#closed) await this.#watch();
      await this.#rom.replace(this.#closed ? undefined : await this.#content());
    } finally {
      for (const watch of outdated) await watch.close().catch(() => {});
    }
  }

  /**
   * Watches the directories on the way and the file, from the root on, as far as they are there.
   * Each is watched before the next one is looked for, so nothing that comes meanwhile is missed.
   */
  async #watch(): Promise<void> {
    this.#watching = true;
    const changed = (): void => void (this.#watching || this.look());
    const names = this.#path.split('/').slice(1);
    try {
      let path = '/';
      for (const name of names) {
        if (!(await this.#watchAt(path, changed))) return;
        path = path === '/' ? `/${name}` : `${path}/${name}`;
      }
      await this.#watchAt(path, changed);
    } finally {
      this.#watching = false;
    }
  }

  async #watchAt(path: string, changed: () => void): Promise<boolean> {
    try {
      this.#watches.push(await this.#client.watch(path, changed));
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }

  async #content(): Promise<Uint8Array | undefined> {
    try {
      return await this.#client.readFile(this.#path, ROM_BYTES_MAX);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      if (!hasCode(error, 'Size_limit_reached') && !hasCode(error, 'Is_a_directory')) throw error;
      void this.#env.warning(`"${this.#path}" is no ROM module: ${error.message}`);
      return undefined;
    }
  }
}

function isAbsent(error: unknown): boolean {
  return ABSENT.some((code) => hasCode(error, code));
}
