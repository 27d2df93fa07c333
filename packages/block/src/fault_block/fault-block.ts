/** Puts the faults of a config between the component's clients and its Block session. */
import { type Env, type Implementation, type SessionContext } from '@ginit/core';
import { Block, BlockClient, blockError, blockPolicy, serveBlock } from '@ginit/core/block';
import type { DeviceBelow } from '../lib/device-below.ts';
import { Random } from '../lib/random.ts';
import { Faults } from './faults.ts';
import { FaultyDevice } from './faulty-device.ts';
import { FAULT_BLOCK_CONFIG } from './schema.ts';
import { VolatileDevice } from './volatile-device.ts';

/** The exit value after a power cut. */
export const POWER_CUT_EXIT = 1;

type FaultBlockEnv = Pick<Env, 'config' | 'connect' | 'close' | 'timer' | 'log' | 'error' | 'exit' | 'ram'>;

/** The component. */
export class FaultBlock {
  readonly #env: FaultBlockEnv;
  readonly #device: DeviceBelow;
  readonly #faults: Faults;
  readonly #close: () => Promise<void>;
  readonly #sessions = new Set<FaultyDevice>();

  /** Opens the device. Throws `ConfigError` at a part of the config that is impossible. */
  static async open(env: FaultBlockEnv): Promise<FaultBlock> {
    const { seed, tx_buf_size: bufferBytes, $children } = env.config.read(FAULT_BLOCK_CONFIG);
    const { volatile, 'power-cut': cut } = $children;
    if (cut && !volatile) {
      throw cut.$node.errorAt('without <volatile> there is nothing that a power cut could take');
    }
    const client = await BlockClient.connect(env, { label: 'device', args: { tx_buf_size: bufferBytes } });
    if (!volatile) return new FaultBlock(env, client, undefined, () => client.close());
    if (volatile.size < client.info.blockSize) {
      throw volatile.$node.errorAt(`size is less than a block of ${client.info.blockSize} bytes`, 'size');
    }
    const arena = (await env.ram.allocate(volatile.size)).attach();
    const random = new Random(seed, 'volatile');
    const device = new VolatileDevice(client, arena, { evictOneIn: volatile.evict_one_in, random });
    return new FaultBlock(env, device, device, async () => {
      // A disk that is switched off in order writes what it has.
      if (client.info.writeable && !device.off) await device.sync();
      await client.close();
    });
  }

  private constructor(
    env: FaultBlockEnv,
    device: DeviceBelow,
    volatile: VolatileDevice | undefined,
    close: () => Promise<void>,
  ) {
    const config = env.config.read(FAULT_BLOCK_CONFIG);
    const { verbose } = config;
    const torn = config.$children['power-cut']?.torn ?? false;
    this.#env = env;
    this.#device = device;
    this.#close = close;
    this.#faults = new Faults(config, {
      sleep: (ms) => env.timer.sleep(ms),
      struck: (text) => void (verbose ? env.log(text) : undefined),
      powerCut: async () => {
        if (!volatile) throw blockError('Gone');
        const { kept, lost, torn: tornBlocks } = await volatile.powerCut(torn);
        await env.error(
          `the power is gone: of the blocks in memory ${kept} are kept, ${lost} lost, ${tornBlocks} torn`,
        );
        env.exit(POWER_CUT_EXIT);
      },
    });
  }

  /** Serves a client. Throws `SessionError`. */
  serve(session: SessionContext<typeof Block>): Implementation<typeof Block> {
    const writeable = blockPolicy(this.#env.config.read(FAULT_BLOCK_CONFIG), session.label);
    const device = new FaultyDevice(this.#device, this.#faults);
    const served = serveBlock(session, device, { writeable });
    this.#sessions.add(device);
    return {
      ...served,
      [Symbol.asyncDispose]: async () => {
        this.#sessions.delete(device);
        device.release();
        this.#faults.release();
        await served[Symbol.asyncDispose]?.();
      },
    };
  }

  /** Ends what is stuck and held back, and says how often each kind of fault has struck. */
  async close(): Promise<void> {
    for (const device of this.#sessions) device.release();
    this.#faults.release();
    await this.#env.log(this.#faults.summary);
    await this.#close();
  }
}
