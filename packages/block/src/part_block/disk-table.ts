/**
 * The table of the disk behind the component's Block session, read again whenever somebody asks for
 * it: another client of the disk may have written a new one, and the disk may have grown.
 */
import { type Env, PeerGone } from '@ginit/core';
import { Rounds } from '@ginit/core/async';
import { BlockClient, type BlockInfo } from '@ginit/core/block';
import type { DiskBlocks } from './disk-blocks.ts';
import { type IgnoredTables, readPartitionTable } from './partition-table.ts';
import type { PartitionTable } from './table.ts';

/** The size of the bulk buffer with which the table is read. */
const TABLE_BUFFER_BYTES = 64 * 1024;
/** The number of problems and of warnings of a table that are logged. */
const LINES_LOGGED_MAX = 32;

/** The part of `env` that is needed to read a table. */
export type TableEnv = Pick<Env, 'connect' | 'close' | 'warning' | 'error'>;

/** What was found on the disk, and its size at that time. */
export interface DiskState {
  readonly info: BlockInfo;
  readonly table: PartitionTable;
}

/** A disk whose table can be read again and again. */
export class DiskTable {
  readonly #env: TableEnv;
  readonly #ignored: () => IgnoredTables;
  readonly #changed: (state: DiskState) => void;
  readonly #reads = new Rounds(() => this.#read());
  #disk: BlockClient;
  #state: DiskState | undefined;
  /** The state as a text, by which changes are recognised. */
  #known = '';

  /**
   * Opens the disk and reads its table. `ignored` says which tables not to look at, and `changed`
   * is called with what was found, and again whenever that is no longer the same.
   */
  static async open(
    env: TableEnv,
    ignored: () => IgnoredTables,
    changed: (state: DiskState) => void,
  ): Promise<DiskTable> {
    const table = new DiskTable(env, ignored, changed, await connect(env));
    await table.fresh();
    return table;
  }

  private constructor(
    env: TableEnv,
    ignored: () => IgnoredTables,
    changed: (state: DiskState) => void,
    disk: BlockClient,
  ) {
    this.#env = env;
    this.#ignored = ignored;
    this.#changed = changed;
    this.#disk = disk;
    this.#watch();
  }

  /** What is on the disk now. Rejects if it cannot be read. */
  async fresh(): Promise<DiskState> {
    await this.#reads.request();
    if (this.#state === undefined) throw new PeerGone('the disk has not been read');
    return this.#state;
  }

  async #read(): Promise<void> {
    try {
      await this.#readOnce();
    } catch (error) {
      if (!(error instanceof PeerGone)) throw error;
      // The server of the disk has been started again: there is a new session to be had.
      await this.#disk.close().catch(() => {});
      this.#disk = await connect(this.#env);
      this.#watch();
      await this.#readOnce();
    }
  }

  /** Looks at the table whenever the disk has another size. */
  #watch(): void {
    this.#disk.onInfoChanged(() => {
      this.fresh().catch((error: unknown) => {
        void this.#env.warning(`the partition table cannot be read: ${String(error)}`);
      });
    });
  }

  async #readOnce(): Promise<void> {
    const disk = this.#disk;
    const { info } = disk;
    const blocks: DiskBlocks = {
      blockSize: info.blockSize,
      blockCount: info.blockCount,
      read: async (first, count) => {
        const bytes = new Uint8Array(count * info.blockSize);
        await disk.read(first, count, bytes);
        return bytes;
      },
    };
    this.#take({ info, table: await readPartitionTable(blocks, this.#ignored()) });
  }

  #take(state: DiskState): void {
    const { info, table } = state;
    this.#state = state;
    const text = JSON.stringify([info, table, [...table.partitions.values()], [...table.faults]]);
    if (text === this.#known) return;
    this.#known = text;
    for (const line of bounded(table.problems)) void this.#env.error(line);
    for (const line of bounded(table.warnings)) void this.#env.warning(line);
    this.#changed(state);
  }
}

async function connect(env: TableEnv): Promise<BlockClient> {
  const args = { tx_buf_size: TABLE_BUFFER_BYTES, writeable: false };
  const disk = await BlockClient.connect(env, { label: 'table', args });
  if (disk.info.blockCount > 0) return disk;
  await disk.close();
  throw new PeerGone('the disk has no blocks');
}

function bounded(lines: readonly string[]): string[] {
  const more = lines.length - LINES_LOGGED_MAX;
  const shown = lines.slice(0, LINES_LOGGED_MAX);
  return more > 0 ? [...shown, `${more} more of this kind`] : shown;
}
