/** The shared folders of a machine: File_system sessions, which the guest mounts by 9P. */
import type { Env } from '@ginit/core';
import { FileSystemClient } from '@ginit/core/file_system';
import { NinePServer } from '@ginit/os/lib/9p/index';
import { PciTransport } from '../devices/virtio/pci-transport.ts';
import { SharedFolderDevice } from '../devices/virtio/shared-folder-device.ts';
import { SplitQueue } from '../devices/virtio/split-queue.ts';
import type { EmbeddedEngine, InterruptLine } from '../engine/engine.ts';
import { refusedAt } from './refused.ts';
import type { SharedConfig } from './schema.ts';

const QUEUE_SIZE = 128;
const MESSAGE_BYTES = 64 * 1024;
const FIDS_MAX = 4096;
/** A longer tag is no name for people. */
const TAG_BYTES_MAX = 64;

/** A shared folder whose session is open. */
export interface OpenShare {
  readonly tag: string;
  readonly config: SharedConfig;
  readonly files: FileSystemClient;
}

/** Opens the sessions. Throws a `ConfigError` at the first that cannot be had. */
export async function openShares(
  env: Pick<Env, 'connect' | 'close'>,
  configs: readonly SharedConfig[],
  devicesMax: number,
): Promise<OpenShare[]> {
  const tooMany = configs[devicesMax];
  if (tooMany)
    throw tooMany.$node.errorAt('a machine has at most four virtio disks and shared folders', 'label');
  const shares: OpenShare[] = [];
  for (const config of configs) {
    const { label, tag = label, writeable, $node: node } = config;
    if (new TextEncoder().encode(tag).byteLength > TAG_BYTES_MAX)
      throw node.errorAt(`a tag has at most ${TAG_BYTES_MAX} bytes`, 'tag');
    if (shares.some((share) => share.tag === tag)) throw node.errorAt(`the tag "${tag}" is taken`, 'tag');
    const files = await FileSystemClient.connect(env, { label, writeable }).catch(
      refusedAt(node, 'label', `there is no File_system session "${label}"`),
    );
    shares.push({ tag, config, files });
  }
  return shares;
}

/** What a shared folder tells of itself. */
export interface ShareEvents {
  readonly broken: (reason: string) => void;
  readonly lost: (reason: string) => void;
}

/** Puts a shared folder on the bus of a machine. */
export function addShare(
  engine: EmbeddedEngine,
  { tag, files, config }: OpenShare,
  events: ShareEvents,
): PciTransport {
  const { uid, gid, chown, writeable } = config;
  const options = {
    uid,
    gid,
    writeable,
    keepsChanges: chown === 'keep',
    messageBytes: MESSAGE_BYTES,
    fidsMax: FIDS_MAX,
  };
  const queue = new SplitQueue(engine.memory, QUEUE_SIZE);
  const device = new SharedFolderDevice(tag, () => new NinePServer(files, options), engine.memory, queue, {
    interrupt: () => transport.interrupt(),
    fail: (reason) => transport.fail(reason),
    lost: (error) => events.lost(error instanceof Error ? error.message : String(error)),
  });
  const transport: PciTransport = new PciTransport(device, queue, {
    raiseInterrupt: () => line.raise(),
    lowerInterrupt: () => line.lower(),
    broken: events.broken,
  });
  const line: InterruptLine = engine.addPciDevice({
    name: `virtio-9p ${tag}`,
    legacy: transport.legacy,
    modern: transport.modern,
    window: transport,
    configSpace: (place) => transport.configSpace(place),
  });
  return transport;
}
