/**
 * Makes the snapshots of the device those that the config names, and serves the device and its
 * snapshots. A config is state: reading the same one twice changes nothing.
 */
import {
  type Env,
  type Implementation,
  requiredPolicy,
  RpcError,
  type SessionContext,
  SessionError,
} from '@ginit/core';
import { Mutex } from '@ginit/core/async';
import { Block, BlockClient, serveBlock } from '@ginit/core/block';
import { ConfigNode } from '@ginit/core/config';
import { Reporter } from '@ginit/core/report';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';
import { Snapshots } from '../snapshot/snapshots.ts';
import { isChunkSize } from '../snapshot/store-format.ts';
import { SNAPSHOT_BLOCK_CONFIG, type SnapshotBlockConfig } from './schema.ts';

const REPORT_LABEL = 'snapshots';
const REPORT_BYTES = 32 * 1024;
/** The time between two reports. The use of the store changes with many a write. */
const REPORT_INTERVAL_MS = 1000;

type SnapshotEnv = Pick<Env, 'config' | 'connect' | 'close' | 'timer' | 'log' | 'warning' | 'error'>;

/** The component. */
export class SnapshotBlock {
  readonly #env: SnapshotEnv;
  readonly #snapshots: Snapshots;
  readonly #close: () => Promise<void>;
  readonly #applying = new Mutex();
  readonly #reporter: Reporter;
  /** The config that was applied last, or is being. */
  #config: SnapshotBlockConfig;
  /** Whether something has changed since the last report, and whether one is on its way. */
  #unreported = false;
  #reporting = false;
  #closed = false;
  /** Sessions that show the device itself. */
  #sessions = 0;
  #warned = false;
  #complained = false;

  /** Opens device and store, and does what the config says. */
  static async open(env: SnapshotEnv): Promise<SnapshotBlock> {
    const config = env.config.read(SNAPSHOT_BLOCK_CONFIG);
    const args = { tx_buf_size: config.tx_buf_size };
    const origin = await BlockClient.connect(env, { label: 'origin', args });
    const device = await BlockClient.connect(env, { label: 'store', args });
    if (config.format && (await SnapshotStore.isBlank(device))) {
      checkChunkSize(config, origin.info.blockSize);
      await SnapshotStore.format(device, config.chunk_size, origin.info.blockSize);
      await env.log('the snapshot store was formatted');
    }
    const store = await SnapshotStore.open(device);
    // Events of what is made up for at the start tell nobody anything new.
    const told: { block?: SnapshotBlock } = {};
    const whenFull = () => (told.block ? told.block.#config : config).when_full;
    const snapshots = await Snapshots.open(origin, store, whenFull, {
      full: () => told.block && told.block.#full(),
      dropped: (name) => told.block && told.block.#dropped(name),
      usage: () => told.block && told.block.#usage(),
    });
    const opened = new SnapshotBlock(env, config, snapshots, async () => {
      await origin.close();
      await device.close();
    });
    told.block = opened;
    device.onInfoChanged(() => void opened.#grow());
    env.config.onUpdate(() => opened.apply());
    await opened.apply();
    return opened;
  }

  private constructor(
    env: SnapshotEnv,
    config: SnapshotBlockConfig,
    snapshots: Snapshots,
    close: () => Promise<void>,
  ) {
    this.#env = env;
    this.#config = config;
    this.#snapshots = snapshots;
    this.#close = close;
    this.#reporter = new Reporter(env, REPORT_LABEL, { bufferBytes: REPORT_BYTES });
  }

  /** Serves the device or a snapshot, as the policy says. Throws `SessionError`. */
  serve(session: SessionContext<typeof Block>): Implementation<typeof Block> {
    const policy = requiredPolicy(this.#env.config.read(SNAPSHOT_BLOCK_CONFIG), session.label);
    if (policy.snapshot === undefined) {
      const served = serveBlock(session, this.#snapshots, {
        writeable: policy.writeable,
        closed: async () => {
          this.#sessions--;
          // A rollback may have waited for that.
          if (this.#sessions === 0) await this.apply();
        },
      });
      this.#sessions++;
      return served;
    }
    const view = this.#snapshots.view(policy.snapshot);
    if (!view) throw new SessionError('DENIED', `there is no snapshot "${policy.snapshot}"`);
    const served = serveBlock(session, view, { writeable: false, closed: () => view.closed() });
    view.opened();
    return served;
  }

  /** Does what the config says and has not been done. What cannot be done is said in the log. */
  async apply(): Promise<void> {
    await this.#applying.acquire();
    try {
      const config = this.#env.config.read(SNAPSHOT_BLOCK_CONFIG);
      this.#config = config;
      for (const { name } of config.$children.delete) await this.#delete(name);
      await this.#rollBack(config);
      for (const { name } of config.$children.snapshot) await this.#create(name);
      this.#usage();
    } finally {
      this.#applying.release();
    }
  }

  /** Ends the use of the two devices. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#snapshots.info.writeable) await this.#snapshots.sync();
    await this.#close();
  }

  async #create(name: string): Promise<void> {
    if (this.#snapshots.list.some((snapshot) => snapshot.name === name)) return;
    await this.#attempt(`snapshot "${name}" cannot be made`, async () => {
      await this.#snapshots.create(name, await this.#env.timer.currentTimeMs());
      await this.#env.log(`snapshot "${name}" was made`);
    });
  }

  async #delete(name: string): Promise<void> {
    if (!this.#snapshots.list.some((snapshot) => snapshot.name === name)) return;
    await this.#attempt(`snapshot "${name}" cannot be deleted`, async () => {
      await this.#snapshots.delete(name);
      await this.#env.log(`snapshot "${name}" was deleted`);
    });
  }

  async #rollBack(config: SnapshotBlockConfig): Promise<void> {
    const { rollback } = config.$children;
    if (!rollback || rollback.token === this.#snapshots.store.superblock.rollbackToken) return;
    if (this.#sessions > 0) {
      await this.#env.warning(
        `the rollback to snapshot "${rollback.name}" waits until nobody has a session of the device`,
      );
      return;
    }
    await this.#attempt(`the device cannot be rolled back to snapshot "${rollback.name}"`, async () => {
      await this.#snapshots.rollBack(rollback.name, rollback.token);
      await this.#env.log(`the device was rolled back to snapshot "${rollback.name}"`);
    });
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      await this.#env.error(`${what}: ${error.message}`);
    }
  }

  async #grow(): Promise<void> {
    await this.#attempt('the store has another size, which cannot be used', () =>
      this.#snapshots.growStore(),
    );
  }

  #full(): void {
    if (this.#complained) return;
    this.#complained = true;
    void this.#env.error('the snapshot store is full: writes to the device fail until there is room');
  }

  #dropped(name: string): void {
    void this.#env.warning(`the snapshot store was full: its oldest snapshot "${name}" was deleted`);
  }

  #usage(): void {
    const { total, used } = this.#snapshots.store.chunks;
    const { warn_at: warnAt, $children } = this.#config;
    const over = used * 100 >= total * warnAt;
    if (over && !this.#warned) {
      void this.#env.warning(`the snapshot store is full to ${Math.floor((used * 100) / total)} %`);
    }
    this.#warned = over;
    if (used < total) this.#complained = false;
    if ($children.report?.snapshots !== true) return;
    this.#unreported = true;
    if (!this.#reporting) void this.#report();
  }

  /** Reports how things are, and again while they change. */
  async #report(): Promise<void> {
    this.#reporting = true;
    while (this.#unreported && !this.#closed) {
      this.#unreported = false;
      await this.#reporter.report(this.#state()).catch((error: unknown) => {
        void this.#env.warning(`no report of the snapshots: ${String(error)}`);
      });
      await this.#env.timer.sleep(REPORT_INTERVAL_MS).catch(() => {});
    }
    this.#reporting = false;
  }

  #state(): ConfigNode {
    const { store, list } = this.#snapshots;
    const { total, used } = store.chunks;
    return ConfigNode.make(
      'snapshots',
      { chunk_bytes: store.chunkBytes, chunks: total, used },
      list.map(({ id, name, createdMs, blockCount }) =>
        ConfigNode.make('snapshot', {
          name,
          created_ms: createdMs,
          blocks: blockCount,
          chunks: store.chunksOf(id).size,
        }),
      ),
    );
  }
}

/** Checks what the schema cannot express. Throws `ConfigError`. */
function checkChunkSize({ chunk_size: bytes, $node }: SnapshotBlockConfig, blockSize: number): void {
  if (!isChunkSize(bytes)) {
    throw $node.errorAt(`chunk_size is ${bytes}, which is no power of two`, 'chunk_size');
  }
  if (bytes < blockSize) {
    throw $node.errorAt(
      `chunk_size is ${bytes}, which is less than a block of the device (${blockSize} bytes)`,
      'chunk_size',
    );
  }
}
