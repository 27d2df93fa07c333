/**
 * What lies in the drives of a machine: a ROM module, a file of the File_system session "files", or
 * a Block session. It is only read, unless it is a floppy disk in a Block session that may be
 * written: v86 tells the guest nothing of a failure, so each write is followed by a SYNC.
 */
import { type Env, RpcError } from '@ginit/core';
import { BlockClient, type BlockInfo } from '@ginit/core/block';
import { MACHINE_DRIVES, type MachineDrive } from '@ginit/core/machine';
import type { Medium } from '../engine/engine.ts';
import { FLOPPY_BYTES_MAX, floppyBytes } from '../engine/v86/floppy.ts';
import { StateError } from '../state/state-stream.ts';
import { UncertainWrites } from './disks.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { GuestFiles } from './guest-files.ts';
import { refusedAt } from './refused.ts';
import type { DriveConfig, VmmConfig } from './schema.ts';
import type { SavedMachine } from './saved-machine.ts';

const SECTOR_BYTES = 512;
const KIBIBYTE = 1024;

/** The kinds of places that a medium comes from. */
type Source = 'rom' | 'file' | 'disk';

/** A medium with where it comes from. */
export interface OpenMedium extends Medium {
  readonly source: Source;
  readonly name: string;
  /** For ROM modules: the bytes that are kept for it. */
  readonly keptBytes: number;
  close(): Promise<void>;
}

/** A medium that cannot be had. */
export class MediumError extends Error {
  override readonly name = 'MediumError';
}

/** The drives of a machine. */
export class Drives {
  readonly #env: Pick<Env, 'connect' | 'close'>;
  readonly #files: GuestFiles;
  readonly #requests = new Set<Promise<unknown>>();
  readonly #writes = new UncertainWrites();
  readonly #media = new Map<MachineDrive, OpenMedium | undefined>();

  #guestIsTold = false;

  constructor(env: Pick<Env, 'connect' | 'close'>, files: GuestFiles) {
    this.#env = env;
    this.#files = files;
  }

  /** Adds a drive of the config, with what lies in it. Throws a `ConfigError`. */
  async add(drive: MachineDrive, config: DriveConfig): Promise<void> {
    this.#media.set(drive, await this.#open(drive, config));
  }

  /** The engine tells its guest of a write that fails, so nobody else has to know. */
  guestIsTold(): void {
    this.#guestIsTold = true;
  }

  /** The drives that there are. */
  get all(): MachineDrive[] {
    return MACHINE_DRIVES.filter((drive) => this.#media.has(drive));
  }

  /** The media in them. */
  get media(): Partial<Record<MachineDrive, OpenMedium>> {
    const media: Partial<Record<MachineDrive, OpenMedium>> = {};
    for (const [drive, medium] of this.#media) if (medium) media[drive] = medium;
    return media;
  }

  /** The same as the guest reads it: what it reads is counted. */
  get counted(): Partial<Record<MachineDrive, Medium>> {
    const media: Partial<Record<MachineDrive, Medium>> = {};
    for (const [drive, medium] of this.#media) if (medium) media[drive] = this.#counted(medium);
    return media;
  }

  #counted(medium: OpenMedium): Medium {
    const counted = <Result>(request: Promise<Result>): Promise<Result> => {
      this.#requests.add(request);
      const ended = (): void => void this.#requests.delete(request);
      request.then(ended, ended);
      return request;
    };
    const write = medium.write?.bind(medium);
    return {
      sizeBytes: medium.sizeBytes,
      read: (position, length) => counted(medium.read(position, length)),
      ...(write && {
        write: (position: number, bytes: Uint8Array) => {
          const request = counted(write(position, bytes));
          if (!this.#guestIsTold) this.#writes.add(request);
          return request;
        },
      }),
    };
  }

  /** Requests that are under way. */
  get underWay(): number {
    return this.#requests.size;
  }

  /** Settles when those that are under way have ended. */
  async quiet(): Promise<void> {
    await Promise.allSettled(this.#requests);
  }

  /**
   * Settles when all writes have ended, and what they wrote is on stable storage; with whether none
   * has failed.
   */
  settled(): Promise<boolean> {
    return this.#writes.settled();
  }

  /** The bytes that are kept for what lies in them. */
  get keptBytes(): number {
    return Object.values(this.media).reduce((sum, { keptBytes }) => sum + keptBytes, 0);
  }

  /**
   * Puts a file into a drive, or empties it. The result is what lies in it now. Throws
   * `MediumError`.
   */
  async change(drive: MachineDrive, file: string | undefined): Promise<Medium | undefined> {
    if (!this.#media.has(drive)) throw new MediumError(`its config has no <${drive}>`);
    const medium = file === undefined ? undefined : await this.#openFile(drive, file);
    const before = this.#media.get(drive);
    this.#media.set(drive, medium);
    await before?.close();
    return medium && this.#counted(medium);
  }

  /** Their description for a state. */
  async saved(): Promise<SavedMachine['media']> {
    const saved: SavedMachine['media'] = [];
    for (const drive of this.all) {
      const medium = this.#media.get(drive);
      if (!medium) continue;
      const { source, name } = medium;
      saved.push({ drive, source, name, fingerprint: await fingerprintOfMedium(medium) });
    }
    return saved;
  }

  /** Whether these, and nothing else, lie in them; what is on them is not looked at. */
  have(media: SavedMachine['media']): boolean {
    return this.all.every((drive) => {
      const wanted = media.find((one) => one.drive === drive);
      const here = this.#media.get(drive);
      return here?.source === wanted?.source && here?.name === wanted?.name;
    });
  }

  /** Puts into the drives what a state says. Rejects with `StateError` if that is not to be had. */
  async restore(media: SavedMachine['media']): Promise<void> {
    for (const drive of this.all) {
      const wanted = media.find((one) => one.drive === drive);
      const here = this.#media.get(drive);
      if (wanted && (here?.source !== wanted.source || here.name !== wanted.name)) {
        if (wanted.source !== 'file')
          throw new StateError(
            `its ${drive} had the ${wanted.source} "${wanted.name}" in it, which the config does not name`,
          );
        await this.change(drive, wanted.name).catch((error: unknown) => {
          if (!(error instanceof MediumError)) throw error;
          throw new StateError(`its ${drive} had "${wanted.name}" in it: ${error.message}`);
        });
      }
      if (!wanted && here) await this.change(drive, undefined);
      const medium = this.#media.get(drive);
      if (!wanted || !medium || (await fingerprintOfMedium(medium)) === wanted.fingerprint) continue;
      throw new StateError(`"${wanted.name}", which was in its ${drive}, was written since`);
    }
  }

  async #open(drive: MachineDrive, config: DriveConfig): Promise<OpenMedium | undefined> {
    const { rom, file, label, $node: node } = config;
    const named = (['rom', 'file', 'label'] as const).filter((name) => config[name] !== undefined);
    if (named[1]) throw node.errorAt(`${named[0]} and ${named[1]} exclude each other`, named[1]);
    if (config.writeable === true && label === undefined)
      throw node.errorAt('only a floppy disk in a Block session is written: give it a label', 'writeable');
    try {
      if (rom !== undefined) return checked(drive, romMedium(rom, await this.#files.read(config)));
      if (file !== undefined) return await this.#openFile(drive, file);
      if (label !== undefined) return checked(drive, await this.#openDisk(label, config));
      return undefined;
    } catch (error) {
      if (!(error instanceof MediumError)) throw error;
      throw node.errorAt(error.message, named[0]);
    }
  }

  async #openFile(drive: MachineDrive, path: string): Promise<OpenMedium> {
    try {
      const { sizeBytes, file } = await this.#files.open(path);
      return checked(drive, {
        source: 'file',
        name: path,
        sizeBytes,
        keptBytes: 0,
        read: async (position, length) => {
          const bytes = new Uint8Array(length);
          await file.read(position, bytes);
          return bytes;
        },
        close: () => file.close().catch(() => {}),
      });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      throw new MediumError(`"${path}" cannot be read: ${error.message}`);
    }
  }

  async #openDisk(label: string, { $node: node, writeable = false }: DriveConfig): Promise<OpenMedium> {
    const client = await BlockClient.connect(this.#env, { label, args: { writeable } }).catch(
      refusedAt(node, 'label', `there is no disk "${label}"`),
    );
    const { blockSize, blockCount } = client.info;
    const sizeBytes = blockSize * blockCount;
    const problem = writeable ? whyNotWritten(client.info) : undefined;
    if (problem !== undefined) {
      await client.close();
      throw new MediumError(`the disk "${label}" ${problem}`);
    }
    const write = async (position: number, bytes: Uint8Array): Promise<void> => {
      await client.write(position / blockSize, bytes.byteLength / blockSize, bytes);
      await client.sync();
    };
    return {
      source: 'disk',
      name: label,
      sizeBytes,
      keptBytes: 0,
      read: async (position, length) => {
        const first = Math.floor(position / blockSize);
        const count = Math.ceil((position + length) / blockSize) - first;
        const bytes = new Uint8Array(count * blockSize);
        await client.read(first, count, bytes);
        const skipped = position - first * blockSize;
        return bytes.subarray(skipped, skipped + length);
      },
      ...(writeable ? { write } : {}),
      close: () => client.close(),
    };
  }
}

/** Why a Block session is no floppy disk that can be written. */
function whyNotWritten({ blockSize, blockCount, writeable }: BlockInfo): string | undefined {
  if (!writeable) return 'cannot be written';
  if (blockSize !== SECTOR_BYTES)
    return `has blocks of ${blockSize} bytes, and a floppy disk that is written has ${SECTOR_BYTES}`;
  const sizeBytes = blockSize * blockCount;
  const shownBytes = floppyBytes(sizeBytes);
  if (sizeBytes === shownBytes) return undefined;
  return `has ${sizeBytes / KIBIBYTE} KiB, and a floppy disk that is written has ${shownBytes / KIBIBYTE}`;
}

function romMedium(name: string, content: Uint8Array): OpenMedium {
  return {
    source: 'rom',
    name,
    sizeBytes: content.byteLength,
    keptBytes: content.byteLength,
    read: async (position, length) => content.slice(position, position + length),
    close: async () => {},
  };
}

function fingerprintOfMedium({ sizeBytes, read }: OpenMedium): Promise<string> {
  return fingerprintOf({
    sizeBytes,
    read: async (position, into) => into.set(await read(position, into.byteLength)),
  });
}

/** Throws `MediumError` if it does not fit into the drive. */
function checked(drive: MachineDrive, medium: OpenMedium): OpenMedium {
  const problem =
    medium.sizeBytes === 0
      ? 'there is nothing in'
      : drive === 'floppy' && medium.sizeBytes > FLOPPY_BYTES_MAX
        ? `a floppy disk has ${FLOPPY_BYTES_MAX / 1024} KiB at most, less than`
        : undefined;
  if (problem === undefined) return medium;
  void medium.close();
  throw new MediumError(`${problem} "${medium.name}"`);
}

/** Opens what lies in the drives of the config. Throws a `ConfigError`. */
export async function openDrives(
  env: Pick<Env, 'connect' | 'close'>,
  files: GuestFiles,
  { $children: { cdrom, floppy, image } }: VmmConfig,
): Promise<Drives> {
  const drives = new Drives(env, files);
  const [iso, more] = image.filter(({ type }) => type === 'iso');
  const tooMany = iso && (more ?? (cdrom ? iso : undefined));
  if (tooMany) throw tooMany.$node.errorAt('a machine has one CD drive', 'type');
  if (iso?.overlay !== undefined) throw iso.$node.errorAt('a CD is not written', 'overlay');
  if (iso) await drives.add('cdrom', { rom: undefined, label: undefined, file: iso.file, $node: iso.$node });
  if (cdrom) await drives.add('cdrom', cdrom);
  if (floppy) await drives.add('floppy', floppy);
  return drives;
}
