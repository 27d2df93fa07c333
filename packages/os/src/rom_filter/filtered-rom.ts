/** The output as a ROM module, which follows its inputs and the config. */
import { type Env, type Implementation, Rom, RomClient, type Session, SessionError } from '@ginit/core';
import { Rounds } from '@ginit/core/async';
import { ConfigError, type ConfigNode, readNode, syntaxOf, writeXml } from '@ginit/core/config';
import { ChargedRom } from '../lib/charged-rom.ts';
import { type Found, findInput, sourceOf } from './input.ts';
import { makeOutput } from './output.ts';
import { ROM_FILTER_CONFIG } from './schema.ts';

/** The part of `env` that filtering uses. */
export type FilterEnv = Pick<
  Env,
  'config' | 'connect' | 'close' | 'signal' | 'pd' | 'ram' | 'warning' | 'error'
>;

/** A ROM module that an input reads. */
interface Source {
  readonly session: Session<typeof Rom>;
  readonly client: RomClient;
}

/** The output, and the ROM sessions of its inputs. */
export class FilteredRom {
  readonly #env: FilterEnv;
  readonly #rom: ChargedRom;
  readonly #sources = new Map<string, Source>();
  readonly #making = new Rounds(() => this.#make());
  /** The last output, so that an input that changes nothing in it wakes nobody. */
  #newest: string | undefined;

  constructor(env: FilterEnv) {
    this.#env = env;
    this.#rom = new ChargedRom(env);
  }

  /** A session for one more client. */
  open(): Implementation<typeof Rom> {
    return this.#rom.module.open();
  }

  /** Settles when the output is that of the newest config and inputs. */
  follow(): Promise<void> {
    return this.#making.request();
  }

  async #make(): Promise<void> {
    const { input: inputs, output } = this.#env.config.read(ROM_FILTER_CONFIG).$children;
    await this.#openSources(new Set(inputs.map((input) => sourceOf(input).label)));
    const contents = new Map<string, ConfigNode | undefined>();
    for (const [label, source] of this.#sources) contents.set(label, await this.#read(label, source));
    const found = new Map<string, Found>(
      inputs.map((input) => [input.name, findInput(input, contents.get(sourceOf(input).label))]),
    );
    const text = output ? writeXml(makeOutput(output.$node, found)) : '';
    if (text === this.#newest) return;
    this.#newest = text;
    await this.#rom.replace(new TextEncoder().encode(text));
  }

  /** Opens the sessions of the modules that are read now, and closes those of others. */
  async #openSources(labels: ReadonlySet<string>): Promise<void> {
    for (const [label, { session }] of this.#sources) {
      if (labels.has(label)) continue;
      this.#sources.delete(label);
      await this.#env.close(session);
    }
    for (const label of labels) {
      if (!this.#sources.has(label)) await this.#openSource(label);
    }
  }

  async #openSource(label: string): Promise<void> {
    try {
      const session = await this.#env.connect(Rom, { label });
      const client = new RomClient(session);
      this.#sources.set(label, { session, client });
      await client.onChange(this.#env.signal(() => this.follow()));
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      void this.#env.warning(`no input from ROM module "${label}": ${error.message}`);
    }
  }

  /** The tree in a module; `undefined` if it is absent, empty, or holds something else. */
  async #read(label: string, { client }: Source): Promise<ConfigNode | undefined> {
    const content = await client.content();
    if (!content || syntaxOf(content) === undefined) return undefined;
    try {
      return readNode(content, { name: label, relaxed: true });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      void this.#env.warning(`no input from ROM module "${label}": ${error.message}`);
      return undefined;
    }
  }
}
