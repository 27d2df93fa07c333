/**
 * What the children of an init that are gone may have lost to hostile servers. While a child is there its own account shows what
 * it has lost; afterwards that is missing in what it has left to its init. It is followed step by step, so that an init may miss
 * so much and no more: what it pays from its own account, for instance to a client whose server has kept a donation, is found.
 */
import type { LedgerChild, Resources } from '@ginit/core';
import { isZero, NOTHING, sum } from './resources.ts';

/** A child that has an account: as it was after the last step, or when it began to end. */
interface Standing {
  readonly name: string;
  readonly ending: boolean;
  /** What it had less than its init believed, donations on their way to a server, or back, included. */
  readonly missing: Resources;
  /** Those that were open, or being opened. */
  readonly sessions: LedgerChild['sessions'];
}

/** Whom a loss may come from. */
export interface Suspicions {
  /** Whether a child has had to do with somebody who may have kept something. */
  readonly victim: (name: string) => boolean;
  /** Whether a server may have kept something. */
  readonly lossy: (server: string | undefined) => boolean;
}

/** The children of one instance of an init. */
export class Bequests {
  readonly #children = new Map<string, Standing>();
  readonly #left: Standing[] = [];

  /** After a step. `missing` says what a child has less than its init believes; nothing if it has no account. */
  follow(children: readonly LedgerChild[], missing: (child: LedgerChild) => Resources | undefined): void {
    const names = new Set(children.map(({ name }) => name));
    for (const name of this.#children.keys()) if (!names.has(name)) this.#bequeath(name);
    for (const child of children) {
      const { name, ending, sessions } = child;
      const now = missing(child);
      const before = this.#children.get(name);
      // One that has ended, or another one by the same name.
      if (before && (!now || (before.ending && !ending))) this.#bequeath(name);
      // What becomes of its sessions while it ends is seen as the loss of them.
      if (now && !this.#children.get(name)?.ending)
        this.#children.set(name, { name, ending, missing: now, sessions });
    }
  }

  #bequeath(name: string): void {
    const standing = this.#children.get(name);
    this.#children.delete(name);
    if (standing && !(isZero(standing.missing) && standing.sessions.length === 0)) this.#left.push(standing);
  }

  /** What may be missing at most of those that are gone, or are going. */
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
