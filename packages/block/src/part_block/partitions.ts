/**
 * Gives each client its partition: asks the backend for a session that shows just these blocks, and
 * hands it on. The data never passes through this component.
 */
import {
  type Env,
  type Label,
  selectPolicy,
  type SessionContext,
  SessionError,
  type SessionTicket,
} from '@ginit/core';
import { attribute, type ConfigOf, element, policyElements } from '@ginit/core/config';
import { Block, BlockClient, type BlockInfo, blockView } from '@ginit/core/block';
import { type Partition, type PartitionTable, readPartitionTable } from './partition-table.ts';

/** The config of `part_block`. */
export const PART_BLOCK_CONFIG = element('config', 'Who gets which partition', {
  children: policyElements({
    partition: attribute.integer(
      'Number in the table: 1 to 4, logical ones from 5 on; 0: a disk without table',
      { required: true, min: 0, max: 255 },
    ),
    writeable: attribute.boolean(
      'Whether the session may write; the backend and the client have a say, too',
      { fallback: false },
    ),
  }),
});

/** The size of the bulk buffer with which the table is read. */
const TABLE_BUFFER_BYTES = 64 * 1024;

type BackendEnv = Pick<Env, 'config' | 'connect' | 'close' | 'request' | 'error'>;

/** The partitions of the disk behind the component's Block session. */
export class Partitions {
  readonly #env: BackendEnv;
  readonly #info: BlockInfo;
  readonly #table: PartitionTable;
  readonly #inUse = new Set<number>();

  /** Reads the disk's table. Problems in it are logged once. */
  static async read(env: BackendEnv): Promise<Partitions> {
    const args = { tx_buf_size: TABLE_BUFFER_BYTES, writeable: false };
    const disk = await BlockClient.connect(env, { label: 'table', args });
    const { blockCount } = disk.info;
    if (blockCount === 0) throw new SessionError('DENIED', 'the disk has no blocks');
    const table = await readPartitionTable(
      (block) => disk.readWith(block, 1, (payload) => payload.slice()),
      blockCount,
    );
    await disk.close();
    for (const problem of table.problems) void env.error(problem);
    return new Partitions(env, disk.info, table);
  }

  constructor(env: BackendEnv, info: BlockInfo, table: PartitionTable) {
    this.#env = env;
    this.#info = info;
    this.#table = table;
  }

  /** Answers a session request. Throws `SessionError`. */
  async open(request: SessionContext<typeof Block>): Promise<SessionTicket<typeof Block>> {
    const { label, args, donation } = request;
    const policy = this.#policy(this.#env.config.read(PART_BLOCK_CONFIG), label);
    const partition = this.#partition(policy.partition);
    const part: BlockInfo = { ...this.#info, blockCount: partition.count, writeable: true };
    const view = blockView(part, args, policy.writeable);
    if (this.#inUse.has(partition.number)) {
      throw new SessionError('DENIED', `partition ${partition.number} is in use by another session`);
    }
    this.#inUse.add(partition.number);
    const release = (): void => void this.#inUse.delete(partition.number);
    try {
      const ticket = await this.#env.request(Block, {
        label: label.text.replace(/ -> $/, ''),
        args: {
          ...args,
          offset: partition.first + view.first,
          num_blocks: view.count,
          writeable: view.writeable,
        },
        donation,
      });
      ticket.onClosed = release;
      return ticket;
    } catch (error) {
      release();
      throw error;
    }
  }

  #policy(config: ConfigOf<typeof PART_BLOCK_CONFIG>, label: Label) {
    const policy = selectPolicy(config, label);
    if (policy) return policy;
    throw new SessionError('DENIED', `no policy defined for label "${label.text}"`);
  }

  #partition(number: number): Partition {
    const partition = this.#table.partitions.get(number);
    if (partition) return partition;
    const fault = this.#table.faults.get(number);
    if (fault !== undefined) throw new SessionError('DENIED', `partition ${number} ${fault}`);
    throw new SessionError('DENIED', `there is no partition ${number}: ${this.#table.absence}`);
  }
}
