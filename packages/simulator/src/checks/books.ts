/**
 * Compares the quota that each init believes its children to have with the supervisor's accounts
 * and with the sessions that the children themselves have open. This is done after every step, for
 * every init that has just come to rest, which means that it waits for no answer of the supervisor.
 *
 * A child's account, together with all accounts below it, should hold the quota that the child was
 * given at its start, less the donations for the sessions that it has open, plus the donations of
 * others for the sessions that it serves. The difference from that is the child's *deviation*. The
 * deviation of an init follows: it is its deviation among its parent's children, less the
 * deviations of its own children.
 *
 * - An init never has too little: it does not pay for its children's acts. It may miss what clients
 * that have died since had lost to hostile servers, and no more than that (`bequests.ts`).
 *
 * - A child does not deviate if it and its servers have kept to the protocol. A client of a hostile
 * server may have lost something to it.
 *
 * - While nobody has been hostile, no init deviates either.
 *
 * - Nobody has an account but the existing children, and a child's sessions are those that its init
 * knows of.
 *
 * A child that waits for its init, or that its init waits for, is not compared at that moment; nor
 * are its servers. An init whose parent is gone is not compared either: it goes with its parent.
 */
import { type LedgerChild, type Resources, splitLabel } from '@ginit/core/system';
import type { Simulation } from '../world/simulation.ts';
import { type AccountTree, ROOT_LABEL } from '@ginit/core/supervisor';
import { Bequests, type Suspicions } from './bequests.ts';
import { atMost, isZero, minus, NOTHING, positive, sum, words } from './resources.ts';

const CORE = 0;
type Component = Simulation['platform']['live'] extends Iterable<infer C> ? C : never;
type Watched = Pick<Simulation, 'platform' | 'calls'>;

/** The accounts as the supervisor has them. */
export interface SupervisorAccounts {
  readonly root: AccountTree;
  /** The quota that the root has donated to the supervisor. */
  readonly donated: Resources;
}

/** The facts that are known before the run. */
interface Premises {
  /** The quota of the whole system. */
  readonly whole: Resources;
  /** Whether the fault plan makes a component hostile. */
  readonly hostility: boolean;
}

/** An init at rest, with its children. */
interface Household {
  readonly init: Component;
  readonly children: readonly LedgerChild[];
  /** Whether children have something under way: then some of their quota may be with the init. */
  readonly waiting: boolean;
  /**
   * The names of the children that have something under way, and of the children that serve them.
   */
  readonly unsettled: ReadonlySet<string>;
  readonly account: AccountTree;
}

/** Compares the books of one run. It remembers which components have used hostile servers. */
export class Books {
  readonly #system: Watched;
  readonly #core: () => SupervisorAccounts;
  readonly #whole: Resources;
  readonly #hostility: boolean;
  /** Labels of components that may have lost quota to hostile servers. */
  readonly #victims = new Set<string>();
  /** The losses of the children that are gone, by the id of their init. */
  readonly #bequests = new Map<number, Bequests>();
  /** The ids of the inits that were at rest after the last step. */
  #resting = new Set<number>();
  /** The number of comparisons of children, and of inits themselves. */
  compared = { children: 0, inits: 0 };

  constructor(system: Watched, core: () => SupervisorAccounts, { whole, hostility }: Premises) {
    this.#system = system;
    this.#core = core;
    this.#whole = whole;
    this.#hostility = hostility;
  }

  /** Returns the first mistake in the books after a step. */
  look(): string | undefined {
    const resting = new Set<number>();
    const come: Component[] = [];
    for (const component of this.#system.platform.live) {
      const { id, runtime, ending } = component;
      if (ending || !runtime?.ledger || this.#waits(id, CORE)) continue;
      resting.add(id);
      if (!this.#resting.has(id)) come.push(component);
    }
    this.#resting = resting;
    if (come.length === 0 && !this.#hostility) return undefined;
    const { root, donated } = this.#core();
    const trees = new Map<string, AccountTree>();
    const gather = (tree: AccountTree): void => {
      trees.set(tree.label, tree);
      tree.dependents.forEach(gather);
    };
    gather(root);
    // Losses are followed at every step, because a session may begin and end between two moments at
    // which an init is at rest. They are followed from the first step on, because a server may
    // become hostile when a client that is gone by then has yet to get its donation back.
    if (this.#hostility) this.#followLosses(trees);
    return this.#compare(come, trees, minus(root.total, minus(this.#whole, donated)));
  }

  #waits(caller: number, callee: number): boolean {
    return this.#system.calls.between(caller, callee) > 0;
  }

  #hostile(label: string): boolean {
    return this.#system.platform.hasBeenHostile(label);
  }

  #followLosses(trees: ReadonlyMap<string, AccountTree>): void {
    for (const { id, label, runtime, ending } of this.#system.platform.live) {
      const children = runtime?.ledger;
      if (ending || !children) continue;
      for (const child of children) this.#findVictim(label, child);
      const bequests = this.#bequests.get(id) ?? new Bequests();
      this.#bequests.set(id, bequests);
      const account = trees.get(label);
      const earned = earnings(children);
      bequests.follow(children, (child) => {
        const own = account?.dependents.find((tree) => tree.label === `${label} -> ${child.name}`);
        // Sessions that are being closed count as if their whole donations had come back, because
        // that is possible.
        const open = { ...child, sessions: child.sessions.filter(({ closing }) => !closing) };
        return own && positive(minus(expected(open, earned), own.total));
      });
    }
  }

  #findVictim(init: string, { name, sessions }: LedgerChild): void {
    const label = `${init} -> ${name}`;
    if (this.#victims.has(label)) return;
    if (sessions.some(({ server }) => this.#lossy(init, server))) this.#victims.add(label);
  }

  /**
   * Whether a server may have kept something. A server above the init may have lost something
   * itself, and passes the loss on.
   */
  #lossy(init: string, server: string | undefined): boolean {
    return server === undefined ? this.#victims.has(init) : this.#hostile(`${init} -> ${server}`);
  }

  /** The amount that an init may miss because of children that are gone. */
  #lostBy({ id, label }: Component): Resources {
    const suspicions: Suspicions = {
      victim: (name) => this.#victims.has(`${label} -> ${name}`),
      lossy: (server) => this.#lossy(label, server),
    };
    return this.#bequests.get(id)?.lost(suspicions) ?? NOTHING;
  }

  #compare(
    come: readonly Component[],
    trees: ReadonlyMap<string, AccountTree>,
    root: Resources,
  ): string | undefined {
    for (const init of come) {
      const household = this.#household(init, trees);
      if (!household) continue;
      const own = this.#deviationOf(household, trees, root);
      const problem =
        this.#wrongAccounts(household) ?? this.#wrongChildren(household) ?? this.#wrongInit(household, own);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #household(init: Component, trees: ReadonlyMap<string, AccountTree>): Household | undefined {
    const account = trees.get(init.label);
    const children = init.runtime?.ledger;
    if (!account || !children || this.#alive(init.label)?.id !== init.id) return undefined;
    if (this.#isOrphan(init)) return undefined;
    const unsettled = new Set<string>();
    for (const { name, sessions, ending } of children) {
      const child = this.#alive(`${init.label} -> ${name}`);
      if (!ending && child && !this.#waits(child.id, init.id) && !this.#waits(init.id, child.id)) continue;
      unsettled.add(name);
      for (const { server } of sessions) if (server !== undefined) unsettled.add(server);
    }
    return { init, children, account, unsettled, waiting: unsettled.size > 0 };
  }

  /**
   * Whether an init's parent is gone. Such an init goes, too; until then nothing comes back of what
   * its children had donated for sessions above it.
   */
  #isOrphan({ label }: Component): boolean {
    return label !== ROOT_LABEL && this.#alive(splitLabel(label).prefix) === undefined;
  }

  /** The component with a label, if there is exactly one. */
  #alive(label: string): Component | undefined {
    const found = [...this.#system.platform.live].filter((component) => component.label === label);
    const [component] = found;
    return found.length === 1 && component && !component.ending ? component : undefined;
  }

  /**
   * The deviation of an init among the children of its parent; `undefined` if it cannot be computed
   * now.
   */
  #deviationOf(
    { init, account }: Household,
    trees: ReadonlyMap<string, AccountTree>,
    root: Resources,
  ): Resources | undefined {
    if (init.label === ROOT_LABEL) return root;
    const parent = this.#alive(splitLabel(init.label).prefix);
    if (!parent || !this.#resting.has(parent.id)) return undefined;
    const household = this.#household(parent, trees);
    const own = household?.children.find(({ name }) => `${parent.label} -> ${name}` === init.label);
    if (!household || !own || household.unsettled.has(own.name)) return undefined;
    return minus(account.total, expected(own, earnings(household.children)));
  }

  #wrongAccounts({ init, children, account, waiting }: Household): string | undefined {
    const names = new Set(children.map(({ name }) => `${init.label} -> ${name}`));
    const stray = account.dependents.find(({ label }) => !names.has(label));
    if (stray && !waiting)
      return `an account is left of [${stray.label}], which [${init.label}] does not know any more`;
    return undefined;
  }

  #wrongChildren({ init, children, account, unsettled }: Household): string | undefined {
    const earned = earnings(children);
    for (const child of children) {
      const label = `${init.label} -> ${child.name}`;
      if (unsettled.has(child.name) || this.#hostile(label)) continue;
      this.compared.children++;
      const problem =
        this.#wrongChild(label, deviationOf(child, earned, label, account)) ??
        this.#wrongSessions(label, child, earned.get(child.name)?.sessions ?? 0);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #wrongChild(label: string, deviation: Resources): string | undefined {
    const { ram, caps } = deviation;
    const mayHaveLost = this.#victims.has(label);
    if (mayHaveLost ? ram <= 0 && caps <= 0 : isZero(deviation)) return undefined;
    return `[${label}] has not the quota that its parent believes; it deviates by ${words(deviation)}`;
  }

  #wrongSessions(label: string, { sessions }: LedgerChild, served: number): string | undefined {
    const own = this.#alive(label)?.runtime?.sessions;
    if (!own) return undefined;
    const strange = sessions.filter(({ id }) => !own.opened.includes(id)).map(({ service }) => service);
    // The other direction is legal: a session whose server has died belongs to the client until the
    // client closes it.
    if (strange.length > 0)
      return `the parent of [${label}] knows sessions that it has not; ${strange.join(', ')}`;
    const serving = [...own.served.values()].reduce((a, b) => a + b, 0);
    if (serving === served) return undefined;
    return `[${label}] serves ${serving} sessions, and its parent knows of ${served}`;
  }

  #wrongInit(household: Household, own: Resources | undefined): string | undefined {
    if (!own) return undefined;
    const { init, children, account, unsettled, waiting } = household;
    this.compared.inits++;
    const earned = earnings(children);
    let deviation = own;
    // The amounts that an init misses may be on their way to or from a component that is dead or
    // being started.
    const elsewhere: Resources[] = [];
    // They may also have been kept from a component that is gone: by one of the init's own servers,
    // or by one above.
    const kept: Resources[] = [positive(minus(NOTHING, own))];
    for (const child of children) {
      const label = `${init.label} -> ${child.name}`;
      const its = deviationOf(child, earned, label, account);
      deviation = minus(deviation, its);
      const there = !child.ending && this.#alive(label) !== undefined;
      if (this.#hostile(label) && there) kept.push(positive(its));
      else if (unsettled.has(child.name)) elsewhere.push(positive(its));
    }
    elsewhere.push(atMost(sum(kept), this.#lostBy(init)));
    const { ram, caps } = sum([deviation, ...elsewhere]);
    if (waiting || this.#system.platform.anybodyHostile ? ram >= 0 && caps >= 0 : isZero(deviation))
      return undefined;
    const what = ram < 0 || caps < 0 ? 'pays for its children' : 'keeps what belongs to its children';
    return `[${init.label}] ${what}; it deviates by ${words(deviation)}`;
  }
}

/** The income of a server: the number of its sessions, and the sum of its clients' donations. */
interface Earnings {
  readonly sessions: number;
  readonly donations: Resources;
}

/**
 * The incomes by the name of the server. All are computed together, because this is done at every
 * step.
 */
function earnings(children: readonly LedgerChild[]): ReadonlyMap<string, Earnings> {
  const found = new Map<string, Earnings>();
  for (const { sessions } of children) {
    for (const { server, donation } of sessions) {
      if (server === undefined) continue;
      const before = found.get(server);
      found.set(server, {
        sessions: (before?.sessions ?? 0) + 1,
        donations: sum([before?.donations ?? NOTHING, donation]),
      });
    }
  }
  return found;
}

/** The quota that a child's account should hold if everything is as its parent believes. */
function expected(child: LedgerChild, earned: ReadonlyMap<string, Earnings>): Resources {
  const own = earned.get(child.name)?.donations ?? NOTHING;
  return minus(sum([child.given, own]), sum(child.sessions.map(({ donation }) => donation)));
}

function deviationOf(
  child: LedgerChild,
  earned: ReadonlyMap<string, Earnings>,
  label: string,
  account: AccountTree,
): Resources {
  const has = account.dependents.find((tree) => tree.label === label)?.total ?? NOTHING;
  return minus(has, expected(child, earned));
}
