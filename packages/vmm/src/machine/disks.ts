/** The disks of a machine: Block sessions, as virtio devices or on the IDE bus. */
import type { ExportedSession } from '@ginit/block/nbd';
import { type Env, RpcError } from '@ginit/core';
import { BlockClient } from '@ginit/core/block';
import type { RequestCounts } from '../devices/request-counts.ts';
import { VirtioBlockDevice } from '../devices/virtio/block-device.ts';
import { PciTransport } from '../devices/virtio/pci-transport.ts';
import { SplitQueue } from '../devices/virtio/split-queue.ts';
import type { EmbeddedEngine, IdeDisk, InterruptLine } from '../engine/engine.ts';
import type { EngineName } from '../engine/engine.ts';
import { QEMU_DISKS_MAX } from '../engine/qemu/qemu-engine.ts';
import { PCI_DEVICES_MAX } from '../engine/v86/v86-engine.ts';
import { type GuestDisk, type Held, PatientDisk } from './patient-disk.ts';
import { refusedAt } from './refused.ts';
import type { DiskConfig } from './schema.ts';
import { WatchedDisk } from './watched-disk.ts';

/** The most disks of each model. */
const DISKS_MAX: Readonly<Record<EngineName, Readonly<Record<DiskConfig['model'], number>>>> = {
  v86: { virtio: PCI_DEVICES_MAX, ide: 2 },
  qemu: QEMU_DISKS_MAX,
};
const IDE_BLOCK_BYTES = 512;
/** The largest blocks that Linux takes from a virtio disk: those of a page. */
const VIRTIO_BLOCK_BYTES_MAX = 4096;
/** A request has two descriptors beside its data. */
const QUEUE_SIZE = 128;

/** What a disk is read from and written to: a Block session, or an image. */
export type DiskClient = ExportedSession & Pick<BlockClient, 'close'>;

/** A disk whose session is open. */
export interface OpenDisk {
  readonly label: string;
  readonly config: DiskConfig;
  readonly client: DiskClient;
  /** The same, which knows whether something is under way. */
  readonly watched: WatchedDisk;
  /** The same as the guest has it: with patience, unless errors are to be reported. */
  readonly disk: GuestDisk;
  readonly patience: PatientDisk | undefined;
  readonly writes: UncertainWrites;
}

/** Writes of which the guest thinks that they are done. */
export class UncertainWrites {
  readonly #underWay = new Set<Promise<void>>();
  #isOneLost = false;

  add(write: Promise<void>): void {
    this.#underWay.add(write);
    void write.catch(() => (this.#isOneLost = true)).then(() => this.#underWay.delete(write));
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** Settles when all of them have ended, with whether none has failed since the start. */
  async settled(): Promise<boolean> {
    await Promise.allSettled(this.#underWay);
    return !this.#isOneLost;
  }
}

/** Opens the sessions of all disks. Throws a `ConfigError` at the first that cannot be had. */
export async function openDisks(
  env: Pick<Env, 'connect' | 'close'>,
  configs: readonly DiskConfig[],
  held: (label: string) => Held,
): Promise<OpenDisk[]> {
  const open: OpenDisk[] = [];
  for (const config of configs) open.push(await openDisk(env, config, held));
  return open;
}

/** Throws a `ConfigError` if there are more disks than an engine has room for. */
export function checkDisks(configs: readonly DiskConfig[], engine: EngineName): void {
  for (const model of ['virtio', 'ide'] as const) checkNumber(configs, model, DISKS_MAX[engine][model]);
}

function checkNumber(configs: readonly DiskConfig[], model: DiskConfig['model'], most: number): void {
  const tooMany = configs.filter((disk) => disk.model === model)[most];
  if (tooMany)
    throw tooMany.$node.errorAt(`a machine has at most ${most} disks of the model ${model}`, 'label');
}

async function openDisk(
  env: Pick<Env, 'connect' | 'close'>,
  config: DiskConfig,
  held: (label: string) => Held,
): Promise<OpenDisk> {
  const { label, writeable, $node: node } = config;
  checkModel(config);
  const client = await BlockClient.connect(env, { label, args: { writeable } }).catch(
    refusedAt(node, 'label', `there is no disk "${label}"`),
  );
  return openDiskOver(client, config, held);
}

/** A disk over a session or an image that is open. Throws a `ConfigError`, and closes that. */
export async function openDiskOver(
  client: DiskClient,
  config: DiskConfig,
  held: (label: string) => Held,
): Promise<OpenDisk> {
  const { label, writeable, model, $node: node } = config;
  checkModel(config);
  const { blockSize } = client.info;
  const problem =
    writeable && !client.info.writeable
      ? 'cannot be written'
      : model === 'ide' && blockSize !== IDE_BLOCK_BYTES
        ? `has blocks of ${blockSize} bytes, and a disk of the model ide has ${IDE_BLOCK_BYTES}`
        : blockSize > VIRTIO_BLOCK_BYTES_MAX
          ? `has blocks of ${blockSize} bytes, and a guest takes ${VIRTIO_BLOCK_BYTES_MAX} at most`
          : undefined;
  const watched = new WatchedDisk(client);
  const patience = config.on_error === 'pause' ? new PatientDisk(watched, held(label)) : undefined;
  if (problem === undefined) {
    const disk = patience ?? watched;
    return { label, config, client, watched, disk, patience, writes: new UncertainWrites() };
  }
  await client.close();
  throw node.errorAt(`the disk "${label}" ${problem}`, 'label');
}

function checkModel({ writeable, model, $node: node }: DiskConfig): void {
  if (model !== 'ide' || writeable) return;
  const wish = node.type === 'image' ? 'an overlay' : 'writeable="yes"';
  throw node.errorAt(
    `a disk of the model ide can be written by its guest: give it ${wish}, or the model virtio`,
    'model',
  );
}

/** The part of an open disk that the IDE bus uses. */
export interface IdeParts {
  readonly disk: Pick<GuestDisk, 'info' | 'read' | 'write' | 'sync'>;
  readonly writes: UncertainWrites;
}

/**
 * A disk in the form of the IDE bus. v86 answers the guest's writes before they are written;
 * `writes` has those that are not. It answers a FLUSH at once, too, and tells nobody; so each
 * write is followed by a SYNC.
 */
export function ideDisk({ disk, writes }: IdeParts, failed: (error: RpcError) => void): IdeDisk {
  const { blockCount } = disk.info;
  const told = (error: unknown): never => {
    if (error instanceof RpcError) failed(error);
    throw error;
  };
  return {
    sizeBytes: blockCount * IDE_BLOCK_BYTES,
    read: async (position, length) => {
      const count = Math.ceil(length / IDE_BLOCK_BYTES);
      const bytes = new Uint8Array(count * IDE_BLOCK_BYTES);
      await disk.read(position / IDE_BLOCK_BYTES, count, bytes).catch(told);
      return bytes.subarray(0, length);
    },
    write: (position, bytes) => {
      const write = disk
        .write(position / IDE_BLOCK_BYTES, bytes.byteLength / IDE_BLOCK_BYTES, bytes)
        .then(() => disk.sync())
        .catch(told);
      writes.add(write);
      return write;
    },
  };
}

/** What a virtio disk tells of itself, and where its requests are counted. */
export interface VirtioDiskEvents {
  readonly counts: RequestCounts;
  readonly broken: (reason: string) => void;
  readonly failed: (error: RpcError) => void;
}

/** Puts a virtio disk on the bus of a machine. */
export function addVirtioDisk(
  engine: EmbeddedEngine,
  { label, disk, patience }: OpenDisk,
  events: VirtioDiskEvents,
): PciTransport {
  const queue = new SplitQueue(engine.memory, QUEUE_SIZE);
  const device = new VirtioBlockDevice(
    disk,
    engine.memory,
    queue,
    {
      counts: events.counts,
      interrupt: () => transport.interrupt(),
      fail: (reason) => transport.fail(reason),
      diskFailed: events.failed,
      givenUp: () => patience?.giveUp(),
    },
    label,
  );
  const transport: PciTransport = new PciTransport(device, queue, {
    raiseInterrupt: () => line.raise(),
    lowerInterrupt: () => line.lower(),
    broken: events.broken,
  });
  const line: InterruptLine = engine.addPciDevice({
    name: `virtio-blk ${label}`,
    legacy: transport.legacy,
    modern: transport.modern,
    window: transport,
    configSpace: (place) => transport.configSpace(place),
  });
  return transport;
}

/**
 * Brings what the guest has written to stable storage. The result says whether all of it is there;
 * the log says why not.
 */
export async function synchronise(
  env: Pick<Env, 'error'>,
  { client, label, writes }: OpenDisk,
): Promise<boolean> {
  try {
    const areWritten = await writes.settled();
    await client.sync();
    if (!areWritten) await env.error(`the disk "${label}" lacks writes that its guest takes for done`);
    return areWritten;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await env.error(`the disk "${label}" is not synchronised: ${reason}`);
    return false;
  }
}
