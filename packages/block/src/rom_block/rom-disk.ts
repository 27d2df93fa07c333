/** A block device that is the content of a ROM module: every request is a copy, done at once. */
import { type Dataspace, type Env, Rom } from '@ginit/core';
import { attribute, element } from '@ginit/core/config';
import { copyApart } from '@ginit/core/packet-stream';
import {
  type BlockBackend,
  blockError,
  type BlockInfo,
  BLOCK_POLICY_ELEMENTS,
  rejected,
  type Rejected,
} from '@ginit/core/block';
import { BLOCK_SIZE_ATTRIBUTE, PAYLOAD_ALIGN_LOG2, checkBlockSize } from '../lib/block-size.ts';

/** The config of `rom_block`. */
export const ROM_BLOCK_CONFIG = element('config', 'A ROM module as a block device, for reading', {
  attributes: {
    file: attribute.text('Name of the ROM module', { required: true }),
    ...BLOCK_SIZE_ATTRIBUTE,
  },
  children: BLOCK_POLICY_ELEMENTS,
});

/** The device. */
export class RomDisk implements BlockBackend {
  readonly info: BlockInfo;
  readonly #content: Dataspace;

  /**
   * Opens the ROM module that the config names. Throws `ConfigError` at a part of the config that
   * is impossible.
   */
  static async open(env: Pick<Env, 'config' | 'connect' | 'signal' | 'warning'>): Promise<RomDisk> {
    const config = env.config.read(ROM_BLOCK_CONFIG);
    checkBlockSize(config);
    const { file, block_size: blockSize } = config;
    const session = await env.connect(Rom, { label: file });
    const content = await session.dataspace();
    if (!content || content.attach().byteLength === 0) {
      throw config.$node.errorAt(`the ROM module "${file}" is ${content ? 'empty' : 'not there'}`, 'file');
    }
    await session.setHandler(
      env.signal(async () => {
        await env.warning(`the ROM module "${file}" has changed: the device keeps its content`);
      }),
    );
    return new RomDisk(content, blockSize);
  }

  constructor(content: Dataspace, blockSize: number) {
    this.#content = content;
    this.info = {
      blockSize,
      blockCount: Math.ceil(content.attach().byteLength / blockSize),
      alignLog2: PAYLOAD_ALIGN_LOG2,
      writeable: false,
    };
  }

  /**
   * If the server of the ROM is gone, so is its memory: this throws `Revoked` or `Gone`, both of
   * which tell clients that the device is gone.
   */
  read(block: number, count: number, into: Uint8Array): void {
    const content = this.#content.attach();
    const first = block * this.info.blockSize;
    const there = content.subarray(first, first + count * this.info.blockSize);
    copyApart(into, there);
    // From then on the memory reads as zeros, which are not what the module holds.
    if (this.#content.revoked) throw blockError('Gone');
    // The last block may be longer than what is left of the module.
    if (there.byteLength < into.byteLength) into.fill(0, there.byteLength);
  }

  write(): Rejected {
    return rejected('ReadOnly');
  }

  sync(): Rejected {
    return rejected('ReadOnly');
  }

  trim(): Rejected {
    return rejected('ReadOnly');
  }

  writeZeroes(): Rejected {
    return rejected('ReadOnly');
  }
}
