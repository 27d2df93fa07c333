/**
 * Gives each client its partition: asks the backend for a session that shows just these blocks, and
 * hands it on. The data never passes through this component.
 */
import {
  type Env,
  requiredPolicy,
  RpcError,
  type SessionContext,
  SessionError,
  type SessionTicket,
} from '@ginit/core';
import { Block, type BlockInfo, blockView } from '@ginit/core/block';
import { Reporter } from '@ginit/core/report';
import { chosenPartition } from './chosen-partition.ts';
import { type DiskState, DiskTable } from './disk-table.ts';
import { partitionReport } from './partition-report.ts';
import { checkConfig, PART_BLOCK_CONFIG } from './schema.ts';
import { type Partition, WHOLE_DISK } from './table.ts';

/** The label of the report. */
const REPORT_LABEL = 'partitions';

type BackendEnv = Pick<Env, 'config' | 'connect' | 'close' | 'request' | 'error' | 'warning'>;

/** The partitions of the disk behind the component's Block session. */
export class Partitions {
  readonly #env: BackendEnv;
  readonly #disk: DiskTable;
  /** The partitions that clients have. A table that was read later may have others. */
  readonly #inUse = new Set<Partition>();

  /** Reads the disk's table. Problems in it are logged once. */
  static async read(env: BackendEnv): Promise<Partitions> {
    const config = env.config.read(PART_BLOCK_CONFIG);
    checkConfig(config);
    const reports = new PartitionReports(env);
    const ignored = () => {
      const { ignore_mbr: mbr, ignore_gpt: gpt } = env.config.read(PART_BLOCK_CONFIG);
      return { mbr, gpt };
    };
    const disk = await DiskTable.open(env, ignored, (state) => reports.take(state));
    env.config.onUpdate(async () => {
      checkConfig(env.config.read(PART_BLOCK_CONFIG));
      reports.configure();
      // Other tables may be ignored now.
      await disk.fresh().catch((error: unknown) => {
        if (!(error instanceof RpcError)) throw error;
        void env.warning(`the partition table cannot be read: ${error.message}`);
      });
    });
    return new Partitions(env, disk);
  }

  private constructor(env: BackendEnv, disk: DiskTable) {
    this.#env = env;
    this.#disk = disk;
  }

  /** Answers a session request. Throws `SessionError`. */
  async open(request: SessionContext<typeof Block>): Promise<SessionTicket<typeof Block>> {
    const { label, args, donation } = request;
    const policy = requiredPolicy(this.#env.config.read(PART_BLOCK_CONFIG), label);
    const { info, table } = await this.#fresh();
    const partition = chosenPartition(table, policy);
    const part: BlockInfo = { ...info, blockCount: partition.count, writeable: true };
    const view = blockView(part, args, policy.writeable);
    const { offset: _, num_blocks: __, ...others } = args;
    // A session of a disk without a table says nothing of its size, so that it grows with the disk.
    const grows = partition.number === WHOLE_DISK && view.grows;
    const size = grows ? {} : { num_blocks: view.count };
    const release = this.#use(grows ? { ...partition, count: Infinity } : partition);
    try {
      const ticket = await this.#env.request(Block, {
        label: label.text.replace(/ -> $/, ''),
        args: { ...others, offset: partition.first + view.first, ...size, writeable: view.writeable },
        donation,
      });
      ticket.onClosed = release;
      return ticket;
    } catch (error) {
      release();
      throw error;
    }
  }

  async #fresh(): Promise<DiskState> {
    try {
      return await this.#disk.fresh();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      throw new SessionError('DENIED', `the partition table cannot be read: ${error.message}`);
    }
  }

  /** Keeps the blocks of a partition for one client. The result gives them back. */
  #use(partition: Partition): () => void {
    const { number, first, count } = partition;
    for (const other of this.#inUse) {
      const apart = first >= other.first + other.count || other.first >= first + count;
      if (apart) continue;
      const which = other.number === number ? '' : `, as partition ${other.number} of an earlier table`;
      throw new SessionError('DENIED', `partition ${number} is in use by another session${which}`);
    }
    const used = { ...partition };
    this.#inUse.add(used);
    return () => void this.#inUse.delete(used);
  }
}

/** Reports the partitions if the config asks for that. */
class PartitionReports {
  readonly #env: BackendEnv;
  #reporter: Reporter | undefined;
  #state: DiskState | undefined;

  constructor(env: BackendEnv) {
    this.#env = env;
    this.configure();
  }

  /** Follows the config. */
  configure(): void {
    const { report } = this.#env.config.read(PART_BLOCK_CONFIG).$children;
    const wanted = report?.partitions === true ? report.buffer : undefined;
    if (this.#reporter?.bufferBytes === wanted) return;
    void this.#reporter?.disable();
    this.#reporter =
      wanted === undefined ? undefined : new Reporter(this.#env, REPORT_LABEL, { bufferBytes: wanted });
    this.#submit();
  }

  take(state: DiskState): void {
    this.#state = state;
    this.#submit();
  }

  #submit(): void {
    if (!this.#reporter || !this.#state) return;
    const { table, info } = this.#state;
    this.#reporter.report(partitionReport(table, info)).catch((error: unknown) => {
      void this.#env.warning(`no report of the partitions: ${String(error)}`);
    });
  }
}
