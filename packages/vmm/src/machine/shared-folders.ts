/** The shared folders of a machine: File_system sessions, which the guest mounts by 9P. */
import type { Env } from '@ginit/core';
import { FileSystemClient } from '@ginit/core/file_system';
import { NinePServer } from '@ginit/os/lib/9p/index';
import { PciTransport } from '../devices/virtio/pci-transport.ts';
import { SharedFolderDevice } from '../devices/virtio/shared-folder-device.ts';
import { SplitQueue } from '../devices/virtio/split-queue.ts';
import type { MessageServer } from '../devices/message-server.ts';
import type { EmbeddedEngine, EngineName, InterruptLine } from '../engine/engine.ts';
import { QEMU_SHARES_MAX, type QemuShareParts } from '../engine/qemu/qemu-engine.ts';
import { PCI_DEVICES_MAX } from '../engine/v86/v86-engine.ts';
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

/** How many there may be, also for people. */
export interface SharesMost {
  readonly sharesMax: number;
  readonly mostText: string;
}

/** How many there may be on an engine, beside so many virtio disks. */
export function sharesMostOn(engine: EngineName, virtioDisks: number): SharesMost {
  switch (engine) {
    case 'v86':
      return {
        sharesMax: Math.max(0, PCI_DEVICES_MAX - virtioDisks),
        mostText: `${PCI_DEVICES_MAX} virtio disks and shared folders together`,
      };
    case 'qemu':
      return { sharesMax: QEMU_SHARES_MAX, mostText: `${QEMU_SHARES_MAX} shared folders` };
  }
}

/** Opens the sessions. Throws a `ConfigError` at the first that cannot be had. */
export async function openShares(
  env: Pick<Env, 'connect' | 'close'>,
  configs: readonly SharedConfig[],
  { sharesMax, mostText }: SharesMost,
): Promise<OpenShare[]> {
  const tooMany = configs[sharesMax];
  if (tooMany) throw tooMany.$node.errorAt(`a machine has at most ${mostText}`, 'label');
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

/** Makes servers for a shared folder: one for each driver that comes. */
export function serversOf({ files, config }: OpenShare): () => MessageServer {
  const { uid, gid, chown, writeable } = config;
  const options = {
    uid,
    gid,
    writeable,
    keepsChanges: chown === 'keep',
    messageBytes: MESSAGE_BYTES,
    fidsMax: FIDS_MAX,
  };
  return () => new NinePServer(files, options);
}

/** Puts a shared folder on the bus of a machine. */
export function addShare(engine: EmbeddedEngine, share: OpenShare, events: ShareEvents): PciTransport {
  const { tag } = share;
  const queue = new SplitQueue(engine.memory, QUEUE_SIZE);
  const device = new SharedFolderDevice(tag, serversOf(share), engine.memory, queue, {
    interrupt: () => transport.interrupt(),
    fail: (reason) => transport.fail(reason),
    lost: lostText(events),
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

/** A shared folder as QEMU has it. */
export function qemuShare(share: OpenShare, events: ShareEvents): QemuShareParts {
  const { broken } = events;
  return { tag: share.tag, makeServer: serversOf(share), events: { broken, lost: lostText(events) } };
}

function lostText({ lost }: ShareEvents): (error: unknown) => void {
  return (error) => lost(error instanceof Error ? error.message : String(error));
}
