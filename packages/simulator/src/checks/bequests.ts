/**
 * The amounts that children of an init which are gone may have lost to hostile servers. While a
 * child is there, its own account shows its losses; afterwards they are missing in the quota that
 * it has left to its init. The losses are followed step by step, so that an init may miss exactly
 * this much and no more. An init that pays from its own account, for instance to a client whose
 * server has kept a donation, is found.
 */
import type { LedgerChild, Resources } from '@ginit/core/system';
import { isZero, NOTHING, sum } from './resources.ts';

/** A child that has an account, as it was after the last step or when it began to end. */
interface Standing {
  readonly name: string;
  readonly ending: boolean;
  /**
   * The amount by which the child had less than its init believed, including donations on their way
   * to a server or back.
   */
  readonly missing: Resources;
  /** The sessions that were open, or being opened. */
  readonly sessions: LedgerChild['sessions'];
}

/** The questions that decide whether a loss is possible. */
export interface Suspicions {
  /** Whether a child has used a server that may have kept something. */
  readonly victim: (name: string) => boolean;
  /** Whether a server may have kept something. */
  readonly lossy: (server: string | undefined) => boolean;
}

/** The children of one instance of an init. */
export class Bequests {
  readonly #children = new Map<string, Standing>();
  readonly #left: Standing[] = [];

  /**
   * Call this after each step. `missing` tells by how much a child has less than its init believes;
   * `undefined` if it has no account.
   */
  follow(children: readonly LedgerChild[], missing: (child: LedgerChild) => Resources | undefined): void {
    const names = new Set(children.map(({ name }) => name));
    for (const name of this.#children.keys()) if (!names.has(name)) this.#bequeath(name);
    for (const child of children) {
      const { name, ending, sessions } = child;
      const now = missing(child);
      const before = this.#children.get(name);
      // The child has ended, or another one of the same name has taken its place.
      if (before && (!now || (before.ending && !ending))) this.#bequeath(name);
      // While the child ends, losses of its sessions count as losses of the child as it was before.
      if (now && !this.#children.get(name)?.ending)
        this.#children.set(name, { name, ending, missing: now, sessions });
    }
  }

  #bequeath(name: string): void {
    const standing = this.#children.get(name);
    this.#children.delete(name);
    if (standing && !(isZero(standing.missing) && standing.sessions.length === 0)) this.#left.push(standing);
  }

  /** The largest amount that may be missing of the children that are gone or going. */
  lost({ victim, lossy }: Suspicions): Resources {
    const going = [...this.#children.values()].filter(({ ending }) => ending);
    return sum(
      [...this.#left, ...going].map(({ name, missing, sessions }) => {
        const donations = sessions.filter(({ server }) => lossy(server)).map(({ donation }) => donation);
        return victim(name) || donations.length > 0 ? sum([missing, ...donations]) : NOTHING;
      }),
    );
  }
}
