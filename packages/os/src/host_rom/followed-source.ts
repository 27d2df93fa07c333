/**
 * One file of the host as a ROM module. The file is looked at again and again; a change shows once
 * the file has been the same at two looks, so that nobody gets what is half written.
 */
import { type Env, RpcError, type RomModule } from '@ginit/core';
import { ChargedRom } from '../lib/charged-rom.ts';
import type { HostSource } from './host-source.ts';

/** A file that is followed until it is closed. */
export class FollowedSource {
  readonly #env: Pick<Env, 'pd' | 'ram' | 'timer' | 'warning'>;
  readonly #name: string;
  readonly #source: HostSource;
  readonly #intervalMs: number;
  readonly #rom: ChargedRom;
  /** The marks of the file whose content is shown, and of the last look. */
  #shown: string | undefined;
  #seen: string | undefined;
  #problem: string | undefined;
  #closed = false;
  #cancel = (): void => {};

  constructor(
    env: Pick<Env, 'pd' | 'ram' | 'timer' | 'warning'>,
    name: string,
    source: HostSource,
    intervalMs: number,
  ) {
    this.#env = env;
    this.#name = name;
    this.#source = source;
    this.#intervalMs = intervalMs;
    this.#rom = new ChargedRom(env);
  }

  /** The module. */
  get rom(): RomModule {
    return this.#rom.module;
  }

  /** Settles when the module has the content of the file. From then on it is followed. */
  async start(): Promise<void> {
    await this.#tried(async () => {
      this.#seen = await this.#source.mark();
      await this.#show(this.#seen);
    });
    this.#lookLater();
  }

  /** Ends the following. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#rom.replace(undefined);
  }

  #lookLater(): void {
    if (this.#closed) return;
    this.#cancel = this.#env.timer.after(this.#intervalMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    await this.#tried(async () => {
      const before = this.#seen;
      this.#seen = await this.#source.mark();
      if (this.#seen === before && this.#seen !== this.#shown) await this.#show(this.#seen);
    });
    this.#lookLater();
  }

  /** If the file changes while it is read, its mark does, and it is read again. */
  async #show(mark: string): Promise<void> {
    const content = await this.#source.read();
    if (this.#closed) return;
    await this.#rom.replace(content);
    this.#shown = mark;
  }

  /** A problem is said once, and again when it is another one; the content that was there stays. */
  async #tried(step: () => Promise<void>): Promise<void> {
    try {
      await step();
      this.#problem = undefined;
    } catch (error) {
      const problem = error instanceof RpcError ? error.message : String(error);
      if (problem !== this.#problem) void this.#env.warning(`ROM module "${this.#name}": ${problem}`);
      this.#problem = problem;
    }
  }
}
