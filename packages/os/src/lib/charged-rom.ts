import { type Dataspace, type Env, RomModule } from '@ginit/core';
import { copyInto } from '@ginit/core/packet-stream';

/** The largest ROM module that is made of somebody's file: initrds of guests have some 40 MiB. */
export const ROM_BYTES_MAX = 64 * 1024 * 1024;
/**
 * Larger modules are in memory that other processes have, too, where the host can do that: a
 * message has no room for them.
 */
const IN_A_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Content, and how what pays for it is given back. */
interface Charged {
  readonly content: Uint8Array | Dataspace;
  readonly release: () => Promise<void>;
}

/**
 * A ROM module whose content is paid by the component's account. The content that is replaced stays
 * unpaid with those readers who have not asked for the new one yet, but for that of a large one,
 * which stays paid until then.
 */
export class ChargedRom {
  readonly module = new RomModule();
  readonly #env: Pick<Env, 'pd' | 'ram'>;
  #charged: Charged | undefined;

  constructor(env: Pick<Env, 'pd' | 'ram'>) {
    this.#env = env;
  }

  /**
   * A new version; `undefined` makes the module absent. Calls must not overlap. Rejects with
   * `OUT_OF_RAM` or `OUT_OF_CAPS`, and then the old content stays.
   */
  async replace(content: Uint8Array | undefined): Promise<void> {
    const before = this.#charged;
    this.#charged = content && (await this.#charge(content));
    this.module.replace(this.#charged?.content);
    await before?.release();
  }

  #charge(content: Uint8Array): Promise<Charged> {
    return content.byteLength > IN_A_MESSAGE_BYTES ? this.#share(content) : this.#keep(content);
  }

  async #keep(content: Uint8Array): Promise<Charged> {
    const { pd } = this.#env;
    const allocation = await pd.allocate({ ram: content.byteLength, caps: 1 });
    return { content, release: () => pd.free(allocation) };
  }

  async #share(content: Uint8Array): Promise<Charged> {
    const { ram } = this.#env;
    const memory = await ram.allocate(content.byteLength);
    copyInto(memory.attach(), content);
    memory.seal();
    // Whoever still reads this version reads zeros once it is freed.
    const release = async (): Promise<void> => {
      void this.module.seen().then(() => ram.free(memory));
    };
    return { content: memory, release };
  }
}
