/**
 * Saves a machine and has another one go on from there. A state is of use with the disks as they
 * were, and with no others; so a machine is saved when nothing is under way at its disks and what
 * was written to them is on stable storage, and the state has the fingerprints of what is on them.
 *
 * Requests that a virtio disk has not answered, because they are held, are part of the state: they
 * are done anew by the machine that goes on. v86 cannot do so for those of an IDE disk.
 */
import { type Env, RpcError } from '@ginit/core';
import { readJson, StateError, writeJson } from '../state/state-stream.ts';
import type { Assembly } from './assembly.ts';
import type { OpenDisk } from './disks.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { Drives } from './media.ts';
import { otherMachine, readSavedMachine, type SavedMachine } from './saved-machine.ts';
import type { StatePlace } from './state-place.ts';

/** The time that disks have to answer what is under way. */
const QUIET_MS = 30_000;
const HEADER_BYTES_MAX = 1024 * 1024;

/** The parts of a machine that stay the same when another engine takes over. */
export interface SavingParts {
  readonly env: Pick<Env, 'timer'>;
  readonly place: StatePlace;
  readonly disks: readonly OpenDisk[];
  readonly drives: Drives;
  readonly hasSerial: boolean;
  /** The largest picture of its screen. */
  readonly screen: string | undefined;
  /** The CRC-32 of the BIOS. */
  readonly firmware: string | undefined;
}

/** Writes and reads the state of one machine. */
export class Saving {
  readonly #parts: SavingParts;

  constructor(parts: SavingParts) {
    this.#parts = parts;
  }

  /** The file that the state is in. */
  get file(): string {
    return this.#parts.place.file;
  }

  /** Writes the state of a machine that is paused. The result is its size. Rejects `StateError`. */
  async save(assembly: Assembly): Promise<number> {
    await this.standStill(assembly);
    for (const { label, config, patience, writes } of this.#parts.disks) {
      const isHeld = (patience?.held ?? 0) > 0 || writes.underWay > 0;
      if (config.model === 'ide' && isHeld)
        throw new StateError(`the IDE disk "${label}" has a request that it has not answered`);
    }
    const header: SavedMachine = {
      ...withFingerprints(this.#describe(assembly), await this.fingerprints()),
      devices: [...assembly.devices],
      media: await failing('a medium', this.#parts.drives.saved()),
    };
    return this.#parts.place.write(async (into) => {
      await writeJson(into, header);
      await assembly.engine.save(into);
    });
  }

  /**
   * Settles when the machine stands still, with all that its disks have to answer. Rejects
   * `StateError`.
   */
  async standStill(assembly: Assembly): Promise<void> {
    await assembly.engine.standsStill();
    await this.#quiet();
  }

  /**
   * Whether the machine that stands still may be given up for the state: it is read to its end.
   * The result is what is on the disks. Rejects `StateError` if not.
   */
  async check(assembly: Assembly): Promise<Fingerprints> {
    return this.#parts.place.read(async (from) => {
      const saved = readSavedMachine(await readJson(from, HEADER_BYTES_MAX));
      refuseOther(saved, this.#describe(assembly));
      const fingerprints = await this.fingerprints();
      refuseWritten(saved, fingerprints);
      await from.skip();
      return fingerprints;
    });
  }

  /** Whether the drives have those media in them that the state wants there. */
  async hasItsMedia(): Promise<boolean> {
    const { place, drives } = this.#parts;
    if (drives.all.length === 0) return true;
    return place.read(async (from) =>
      drives.have(readSavedMachine(await readJson(from, HEADER_BYTES_MAX)).media),
    );
  }

  /** Which media the machine of the state had in its drives; they are there afterwards. */
  async restoreMedia(): Promise<void> {
    const { place, drives } = this.#parts;
    if (drives.all.length === 0) return;
    await place.read(async (from) => {
      const { media } = readSavedMachine(await readJson(from, HEADER_BYTES_MAX));
      await drives.restore(media);
    });
  }

  /**
   * A machine that has not run goes on from the state. When that is known to be of use, and is in
   * its place but for our own devices, `giveUp` is called. Rejects `StateError`.
   */
  async restore(
    assembly: Assembly,
    fingerprints: () => Fingerprints | Promise<Fingerprints> = () => this.fingerprints(),
    giveUp: () => Promise<void> = async () => {},
  ): Promise<void> {
    await this.#parts.place.read(async (from) => {
      const saved = readSavedMachine(await readJson(from, HEADER_BYTES_MAX));
      refuseOther(saved, this.#describe(assembly));
      // The disks are read while the state is.
      const here = Promise.resolve(fingerprints());
      await Promise.all([here, assembly.engine.restore(from).then(() => from.end())]);
      refuseWritten(saved, await here);
      await giveUp();
      assembly.restoreDevices(saved.devices);
    });
  }

  /** Settles when the disks have answered everything that is not held. */
  async #quiet(): Promise<void> {
    const { env, disks, drives } = this.#parts;
    const timeout = env.timer.sleep(QUIET_MS).then(() => true);
    // A request that has ended may be followed by another one of the same piece of work.
    while (drives.underWay > 0 || disks.some(({ watched }) => watched.underWay > 0)) {
      const all = [drives.quiet(), ...disks.map(({ watched }) => watched.quiet())];
      const settled = Promise.all(all).then(() => false);
      if (await Promise.race([settled, timeout])) {
        const slow = disks.find(({ watched }) => watched.underWay > 0);
        const name = slow ? `the disk "${slow.label}"` : 'a drive';
        throw new StateError(`${name} has not answered for ${QUIET_MS / 1000} s`);
      }
      await env.timer.sleep(0);
    }
  }

  /** The machine as it is here. */
  #describe({ engine, processors, memoryBytes }: Assembly): DescribedMachine {
    const { disks, drives, hasSerial, screen, firmware } = this.#parts;
    return {
      engine: engine.version,
      processors,
      memoryBytes,
      firmware: firmware ?? null,
      drives: drives.all,
      serial: hasSerial,
      screen: screen ?? null,
      disks: disks.map(({ label, config: { model, writeable }, client }) => {
        const { blockSize, blockCount } = client.info;
        return { label, model, writeable, blockSize, blockCount, fingerprint: '' };
      }),
    };
  }

  /** What is on its disks now. Rejects `StateError`. */
  async fingerprints(): Promise<Fingerprints> {
    const found = new Map<string, string>();
    for (const { label, config, client } of this.#parts.disks) {
      const { blockSize, blockCount } = client.info;
      const fingerprint = async (): Promise<string> => {
        if (config.writeable) await client.sync();
        return fingerprintOf({
          sizeBytes: blockSize * blockCount,
          read: (position, into) => client.read(position / blockSize, into.byteLength / blockSize, into),
        });
      };
      found.set(label, await failing(`the disk "${label}"`, fingerprint()));
    }
    return found;
  }
}

/** What is on the disks of a machine, by their labels. */
export type Fingerprints = ReadonlyMap<string, string>;

/** A machine, but for what is on its disks and how its devices are. */
type DescribedMachine = Omit<SavedMachine, 'devices' | 'media'>;

function withFingerprints(machine: DescribedMachine, found: Fingerprints): DescribedMachine {
  const disks = machine.disks.map((disk) => ({ ...disk, fingerprint: found.get(disk.label) ?? '' }));
  return { ...machine, disks };
}

function refuseOther(saved: SavedMachine, here: DescribedMachine): void {
  const other = otherMachine(saved, { ...here, devices: [], media: [] });
  if (other !== undefined) throw new StateError(other);
}

function refuseWritten(saved: SavedMachine, here: Fingerprints): void {
  for (const { label, fingerprint } of saved.disks) {
    const now = here.get(label);
    if (now !== fingerprint)
      throw new StateError(
        `the disk "${label}" was written since: its fingerprint was ${fingerprint}, and is ${now} now`,
      );
  }
}

async function failing<Result>(what: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new StateError(`${what} fails: ${error.message}`);
  }
}
