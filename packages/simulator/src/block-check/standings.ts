/**
 * Records which components build on which. For each component, by its label, it knows the devices
 * that it serves, the devices of others that it uses, and the files of the host that it has open.
 * From that it follows which devices outlive the end of a server, and for which devices the check
 * cannot say what they may hold.
 */
import type { CheckedDevice } from './checked-device.ts';
import type { SessionTarget } from './client-session.ts';

interface Standing {
  readonly devices: Set<CheckedDevice>;
  readonly servers: Set<string>;
  /**
   * The devices of others that the component uses, with the views, as far as their servers have
   * told of them.
   */
  readonly uses: SessionTarget[];
  files: ReadonlySet<string>;
  /**
   * Whether it uses packet streams of other services: the contents that it serves may come from
   * there.
   */
  usesOther: boolean;
  /** The files and servers that it was built on when one of its devices was last found. */
  ground: string | undefined;
}

/** The records of all components. */
export class Standings {
  readonly #standings = new Map<string, Standing>();
  readonly #lying = new Set<string>();

  setFiles(label: string, files: ReadonlySet<string>): void {
    this.#of(label).files = new Set(files);
  }

  owns(label: string, device: CheckedDevice): void {
    this.#of(label).devices.add(device);
  }

  /** Notes that a device of the component is gone. */
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

  /** Notes that a disk returns contents that were never written to it. */
  lies(file: string): void {
    this.#lying.add(file);
  }

  /** The components that have this file open, or had it open. */
  on(file: string): string[] {
    return [...this.#standings].flatMap(([label, { files }]) => (files.has(file) ? [label] : []));
  }

  /**
   * Whether the devices of the component outlive it, because they are built on files of the host,
   * directly or not.
   */
  isStable(label: string): boolean {
    return this.#below(label).some((below) => this.#of(below).files.size > 0);
  }

  /** Whether the component is now built on other files or servers than before. */
  hasMoved(label: string): boolean {
    const standing = this.#of(label);
    const ground = JSON.stringify([[...standing.files].toSorted(), [...standing.servers].toSorted()]);
    const moved = standing.ground !== undefined && standing.ground !== ground;
    standing.ground = ground;
    return moved;
  }

  /** The components whose devices are built on those of this one. */
  above(label: string): ReadonlySet<string> {
    const found = new Set<string>();
    for (const other of this.#standings.keys()) {
      if (other !== label && this.#below(other).includes(label)) found.add(other);
    }
    return found;
  }

  /** Whether the contents of a device may have come about in ways that its sessions do not show. */
  excused(device: CheckedDevice): boolean {
    for (const [label, { devices }] of this.#standings) {
      if (!devices.has(device)) continue;
      const siblings = [...devices].some((other) => other !== device && other.writers.size > 0);
      if (siblings || this.#below(label).some((below) => this.#isUncertain(below))) return true;
    }
    return false;
  }

  /**
   * Whether the sessions of a component alone do not tell what its devices hold: because of other
   * streams, of a lying or shared file, of a failed request, or of another writer.
   */
  #isUncertain(label: string): boolean {
    const { files, uses, usesOther } = this.#of(label);
    if (usesOther || [...files].some((file) => this.#lying.has(file) || this.on(file).length > 1))
      return true;
    return uses.some(({ device, view }) => device.failures.has(label) || device.writtenByOthers(label, view));
  }

  /** The component itself, and all components that it is built on. */
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
