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
    await assembly.engine.standsStill();
    await this.#quiet();
    for (const { label, config, patience, writes } of this.#parts.disks) {
      const isHeld = (patience?.held ?? 0) > 0 || writes.underWay > 0;
      if (config.model === 'ide' && isHeld)
        throw new StateError(`the IDE disk "${label}" has a request that it has not answered`);
    }
    const header: SavedMachine = {
      ...(await this.#describe(assembly)),
      devices: [...assembly.devices],
      media: await failing('a medium', this.#parts.drives.saved()),
    };
    return this.#parts.place.write(async (into) => {
      await writeJson(into, header);
      await assembly.engine.save(into);
    });
  }

  /** Whether the machine that runs may be given up for the state. Rejects `StateError` if not. */
  async check(assembly: Assembly): Promise<void> {
    await assembly.engine.standsStill();
    await this.#quiet();
    const here = await this.#describe(assembly);
    await this.#parts.place.read(async (from) => {
      refuseOther(readSavedMachine(await readJson(from, HEADER_BYTES_MAX)), here);
      await from.skip();
    });
  }

  /** Which media the machine of the state had in its drives; they are there afterwards. */
  async restoreMedia(): Promise<void> {
    await this.#parts.place.read(async (from) => {
      const { media } = readSavedMachine(await readJson(from, HEADER_BYTES_MAX));
      await this.#parts.drives.restore(media);
    });
  }

  /** A machine that has not run goes on from the state. Rejects `StateError`. */
  async restore(assembly: Assembly): Promise<void> {
    const here = await this.#describe(assembly);
    await this.#parts.place.read(async (from) => {
      const saved = readSavedMachine(await readJson(from, HEADER_BYTES_MAX));
      refuseOther(saved, here);
      await assembly.engine.restore(from);
      await from.end();
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

  /** The machine as it is here, with its disks as they are now. */
  async #describe({
    engine,
    processors,
    memoryBytes,
  }: Assembly): Promise<Omit<SavedMachine, 'devices' | 'media'>> {
    const { disks, drives, hasSerial, screen, firmware } = this.#parts;
    const described: SavedMachine['disks'] = [];
    for (const { label, config, client } of disks) {
      const { blockSize, blockCount } = client.info;
      const fingerprint = await failing(
        `the disk "${label}"`,
        (async () => {
          if (config.writeable) await client.sync();
          return fingerprintOf({
            sizeBytes: blockSize * blockCount,
            read: async (position, length) => {
              const bytes = new Uint8Array(length);
              await client.read(position / blockSize, length / blockSize, bytes);
              return bytes;
            },
          });
        })(),
      );
      const { model, writeable } = config;
      described.push({ label, model, writeable, blockSize, blockCount, fingerprint });
    }
    return {
      engine: engine.version,
      processors,
      memoryBytes,
      firmware: firmware ?? null,
      drives: drives.all,
      serial: hasSerial,
      screen: screen ?? null,
      disks: described,
    };
  }
}

function refuseOther(saved: SavedMachine, here: Omit<SavedMachine, 'devices' | 'media'>): void {
  const other = otherMachine(saved, { ...here, devices: [], media: [] });
  if (other !== undefined) throw new StateError(other);
  for (const { label, fingerprint } of saved.disks) {
    const now = here.disks.find((disk) => disk.label === label)?.fingerprint;
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
