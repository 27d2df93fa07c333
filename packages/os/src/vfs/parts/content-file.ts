/** A file whose content is at hand: a text of the config, or a ROM module. */
import { type Env, Rom, RomClient, type Session } from '@ginit/core';
import { Rounds } from '@ginit/core/async';
import { copyInto } from '@ginit/core/packet-stream';
import { Charge } from './charge.ts';
import { refuseChange } from './read-only.ts';
import type { SingleFile } from './single-entry.ts';

/** A file with a content that is paid by the account of the component. */
export class ContentFile implements SingleFile {
  readonly writeable = false;
  readonly unsized = false;
  readonly #charge: Charge;
  #content: Uint8Array = new Uint8Array(0);
  #changed: (() => void) | undefined;

  constructor(charge: Charge) {
    this.#charge = charge;
  }

  get sizeBytes(): number {
    return this.#content.length;
  }

  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  /** Another content. If it cannot be paid for this rejects, and the old one stays. */
  async replace(content: Uint8Array): Promise<void> {
    await this.#charge.set(content.length);
    this.#content = content;
    this.#changed?.();
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    const part = this.#content.subarray(position, position + into.length);
    copyInto(into, part);
    return part.length;
  }

  write = refuseChange;
  truncate = refuseChange;

  async close(): Promise<void> {
    await this.#charge.set(0);
  }
}

/** The part of `env` that ROM modules need. */
export type RomEnv = Pick<Env, 'connect' | 'close' | 'signal' | 'pd' | 'warning'>;

/** A file with the content of a ROM module, empty while that is absent. */
export class RomFile extends ContentFile {
  readonly #env: RomEnv;
  readonly #label: string;
  #session: Session<typeof Rom> | undefined;
  readonly #looking = new Rounds(() => this.#look());

  private constructor(env: RomEnv, label: string) {
    super(new Charge(env.pd));
    this.#env = env;
    this.#label = label;
  }

  /** Rejects if there is no such session, or the content cannot be paid for. */
  static async open(env: RomEnv, label: string): Promise<RomFile> {
    const file = new RomFile(env, label);
    const onReattach = (session: Session<typeof Rom>): Promise<void> => file.#follow(session);
    const session = await env.connect(Rom, { label, onReattach });
    try {
      await file.#attach(session);
      await file.#looking.request();
    } catch (error) {
      await file.close();
      throw error;
    }
    return file;
  }

  override async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session) await this.#env.close(session).catch(() => undefined);
    await super.close();
  }

  async #attach(session: Session<typeof Rom>): Promise<void> {
    this.#session = session;
    await new RomClient(session).onChange(this.#env.signal(() => this.#again()));
  }

  async #follow(session: Session<typeof Rom>): Promise<void> {
    await this.#attach(session);
    await this.#again();
  }

  async #again(): Promise<void> {
    try {
      await this.#looking.request();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      void this.#env.warning(`<rom name="${this.#label}">: the old content stays: ${reason}`);
    }
  }

  async #look(): Promise<void> {
    if (!this.#session) return;
    await this.replace((await new RomClient(this.#session).content()) ?? new Uint8Array(0));
  }
}
