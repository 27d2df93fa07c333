/**
 * What stands on what: which component, by its label, serves which devices, uses those of whom, and has which files of
 * the host open. It tells what outlives the end of a server, and when nobody can say what a device may hold.
 */
import type { CheckedDevice } from './checked-device.ts';
import type { SessionTarget } from './client-session.ts';

interface Standing {
  readonly devices: Set<CheckedDevice>;
  readonly servers: Set<string>;
  /** What of the devices of others it uses, as far as their servers have told of them. */
  readonly uses: SessionTarget[];
  files: ReadonlySet<string>;
  /** It uses packet streams of other services: what it serves may come from there. */
  usesOther: boolean;
  /** What it stood on when a device of it was first found. */
  ground: string | undefined;
}

/** The ground that each component stands on. */
export class Standings {
  readonly #standings = new Map<string, Standing>();
  readonly #lying = new Set<string>();

  setFiles(label: string, files: ReadonlySet<string>): void {
    this.#of(label).files = new Set(files);
  }

  owns(label: string, device: CheckedDevice): void {
    this.#of(label).devices.add(device);
  }

  /** That device is gone. */
  disowns(label: string, device: CheckedDevice): void {
    this.#of(label).devices.delete(device);
  }

  uses(label: string, server: string, target: SessionTarget | undefined): void {
    const { servers, uses } = this.#of(label);
    servers.add(server);
    if (!target) return;
    const { device, view } = target;
    const known = uses.some(
      (use) => use.device === device && use.view.first === view.first && use.view.count === view.count,
    );
    if (!known) uses.push(target);
  }

  usesOther(label: string): void {
    this.#of(label).usesOther = true;
  }

  /** A disk returns what was never written to it. */
  lies(file: string): void {
    this.#lying.add(file);
  }

  /** Who has this file open, or had. */
  on(file: string): string[] {
    return [...this.#standings].flatMap(([label, { files }]) => (files.has(file) ? [label] : []));
  }

  /** Whether what it serves outlives it: it stands on files of the host, directly or not. */
  isStable(label: string): boolean {
    return this.#below(label).some((below) => this.#of(below).files.size > 0);
  }

  /** Whether it stands on something else than it did before. */
  hasMoved(label: string): boolean {
    const standing = this.#of(label);
    const ground = JSON.stringify([[...standing.files].toSorted(), [...standing.servers].toSorted()]);
    const moved = standing.ground !== undefined && standing.ground !== ground;
    standing.ground = ground;
    return moved;
  }

  /** Everybody whose devices stand on those of this one. */
  above(label: string): ReadonlySet<string> {
    const found = new Set<string>();
    for (const other of this.#standings.keys()) {
      if (other !== label && this.#below(other).includes(label)) found.add(other);
    }
    return found;
  }

  /** Whether what a device holds may have come about by something that its sessions do not show. */
  excused(device: CheckedDevice): boolean {
    for (const [label, { devices }] of this.#standings) {
      if (!devices.has(device)) continue;
      const siblings = [...devices].some((other) => other !== device && other.writers.size > 0);
      if (siblings || this.#below(label).some((below) => this.#isUncertain(below))) return true;
    }
    return false;
  }

  /** Whether one who stands here cannot be told by its sessions alone. */
  #isUncertain(label: string): boolean {
    const { files, uses, usesOther } = this.#of(label);
    if (usesOther || [...files].some((file) => this.#lying.has(file) || this.on(file).length > 1))
      return true;
    return uses.some(({ device, view }) => device.failures.has(label) || device.writtenByOthers(label, view));
  }

  /** Itself, and everybody on whom it stands. */
  #below(label: string): string[] {
    const found = [label];
    for (const next of found) {
      for (const server of this.#standings.get(next)?.servers ?? []) {
        if (!found.includes(server)) found.push(server);
      }
    }
    return found;
  }

  #of(label: string): Standing {
    const known = this.#standings.get(label);
    if (known) return known;
    const standing: Standing = {
      devices: new Set(),
      servers: new Set(),
      uses: [],
      files: new Set(),
      usesOther: false,
      ground: undefined,
    };
    this.#standings.set(label, standing);
    return standing;
  }
}
