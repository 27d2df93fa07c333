/**
 * Finds out what a new config changes, from the children that there are and the config alone. The
 * sandbox carries out what is planned here and decides nothing of it itself, so that what `ginit
 * plan` says is what happens.
 *
 * The rules are those of Genode's init. A start node is the same as before if its name and its
 * version are. A child whose sessions all lead where they led stays; one of whose sessions leads
 * elsewhere is restarted, and so are its clients; one of whose sessions leads nowhere is stuck.
 */
import type { InitConfig, StartNode } from '../model/index.ts';
import { directoryOf, requestingChild } from '../model/index.ts';
import { resolveRequest, type ServiceDirectory } from '../routing/index.ts';
import type { Change, Reroute } from './changes.ts';
import { whereText } from './where-text.ts';
import type { Destination, ExistingChild, RoutedSession, ServedBy } from './existing.ts';
import { whyPlacedAnew } from './placement.ts';
import { sameNode } from './same-node.ts';

/** A start node of the new config, with the child that there is for it. */
interface Kept {
  readonly start: StartNode;
  readonly child: ExistingChild;
}

/** What the routes say of the sessions of one child. */
interface Verdict {
  readonly lost: { readonly session: RoutedSession; readonly text: string }[];
  readonly reroutes: Reroute[];
}

/** What is planned beside the changes of the config. */
export interface PlanOptions {
  /** Children that are restarted whatever the config says, each with the reason. */
  readonly forced?: ReadonlyMap<string, string>;
  /** Whether children that could not be created are tried again; they are unless this is false. */
  readonly retry?: boolean;
}

/**
 * The changes by which the children become those of the config: in the order of its start nodes,
 * and behind them the children that it does not name any more.
 */
export function planChanges(
  existing: readonly ExistingChild[],
  config: InitConfig,
  options: PlanOptions = {},
): Change[] {
  return new Planning(existing, config, options).changes();
}

class Planning {
  readonly #existing: readonly ExistingChild[];
  readonly #config: InitConfig;
  readonly #options: PlanOptions;
  readonly #byName: ReadonlyMap<string, ExistingChild>;
  readonly #directory: ServiceDirectory;
  /** The children that may stay as they are. */
  readonly #kept = new Map<string, Kept>();
  readonly #verdicts = new Map<string, Verdict>();
  readonly #starts = new Map<string, string>();
  readonly #restarts = new Map<string, { readonly why: string; readonly reroutes: readonly Reroute[] }>();

  constructor(existing: readonly ExistingChild[], config: InitConfig, options: PlanOptions) {
    this.#options = options;
    this.#existing = existing;
    this.#config = config;
    this.#byName = new Map(existing.map((child) => [child.start.name, child]));
    const failed = existing.filter(({ standing }) => standing === 'failed' || standing === 'retried');
    // A child that could not be created has no services before a new attempt has gone well.
    this.#directory = directoryOf(config, new Set(failed.map(({ start }) => start.name)));
    for (const start of config.starts) this.#place(start, options.forced?.get(start.name));
  }

  changes(): Change[] {
    this.#spreadRestarts();
    const names = new Set(this.#config.starts.map(({ name }) => name));
    const vanished = this.#existing.filter(({ start }) => !names.has(start.name));
    return [
      ...this.#config.starts.flatMap((start) => this.#changesOf(start)),
      ...vanished.map(
        ({ start }): Change => ({ kind: 'stop', name: start.name, why: 'it is not named any more' }),
      ),
    ];
  }

  /** Decides what the start node says by itself, without its sessions. */
  #place(start: StartNode, forced: string | undefined): void {
    const child = this.#byName.get(start.name);
    if (!child) return void this.#starts.set(start.name, 'it is new');
    const { standing, start: before } = child;
    const over = standing === 'exited' || standing === 'crashed';
    const again = (why: string): void => {
      if (over) this.#starts.set(start.name, why);
      else this.#restarts.set(start.name, { why, reroutes: [] });
    };
    if (before.version !== start.version) return again('it has another version');
    if (forced !== undefined) return again(forced);
    if (standing === 'failed') {
      if (this.#options.retry ?? true) this.#starts.set(start.name, 'it could not be started before');
      return;
    }
    if (standing === 'crashed' && !sameNode(before.element, start.element)) {
      return again('it had crashed, and its start node has changed');
    }
    if (over) return;
    const placedAnew = whyPlacedAnew(before, start);
    if (placedAnew !== undefined) return again(placedAnew);
    this.#kept.set(start.name, { start, child });
  }

  /**
   * Finds all restarts that follow from routes. A client of a server that restarts is restarted,
   * too, and its clients are in turn.
   */
  #spreadRestarts(): void {
    const others = [...this.#starts.keys(), ...this.#restarts.keys()];
    const clients = new Map<string, { readonly name: string; readonly session: RoutedSession }[]>();
    for (const [name, kept] of this.#kept) {
      const verdict = this.#verdict(kept);
      this.#verdicts.set(name, verdict);
      if (verdict.lost.length > 0) continue;
      const [first] = verdict.reroutes;
      const stuck = kept.child.standing === 'stuck';
      if (first || stuck) {
        const why = stuck ? 'all of its sessions have a route again' : whyRerouted(first);
        this.#restarts.set(name, { why, reroutes: verdict.reroutes });
        others.push(name);
        continue;
      }
      for (const session of kept.child.sessions) {
        const server = serverOf(session.to);
        if (server === undefined) continue;
        const known = clients.get(server);
        if (known) known.push({ name, session });
        else clients.set(server, [{ name, session }]);
      }
    }
    for (let server = others.pop(); server !== undefined; server = others.pop()) {
      for (const { name, session } of clients.get(server) ?? []) {
        if (this.#restarts.has(name)) continue;
        const reroutes = [{ session, to: undefined }];
        this.#restarts.set(name, { why: `its server "${server}" is another one`, reroutes });
        others.push(name);
      }
    }
  }

  #verdict({ start, child }: Kept): Verdict {
    const verdict: Verdict = { lost: [], reroutes: [] };
    const asking = requestingChild(this.#config, start);
    for (const session of child.sessions) {
      const route = resolveRequest(asking, session, this.#directory);
      if (route.kind === 'config') {
        if (session.to.kind !== 'config' && session.to.kind !== 'no config') {
          verdict.reroutes.push({ session, to: { kind: 'config' } });
        }
        continue;
      }
      if (route.kind === 'denied') {
        if (session.to.kind === 'no config') continue;
        // A child without a config can always be given an empty one, so this is no missing route.
        if (session.to.kind === 'config') verdict.reroutes.push({ session, to: undefined });
        else verdict.lost.push({ session, text: route.text });
        continue;
      }
      const to = servedBy(route);
      if (!leadsTo(session.to, to)) verdict.reroutes.push({ session, to });
    }
    return verdict;
  }

  #changesOf(start: StartNode): Change[] {
    const { name } = start;
    const why = this.#starts.get(name);
    if (why !== undefined) return [{ kind: 'start', start, why }];
    const restart = this.#restarts.get(name);
    if (restart) return [{ kind: 'restart', start, ...restart }];
    const kept = this.#kept.get(name);
    return kept ? this.#updatesOf(kept) : [];
  }

  #updatesOf(kept: Kept): Change[] {
    const { start, child } = kept;
    const { name } = start;
    const changes = providesOf(kept);
    // A stuck child is left as it is until it is restarted.
    if (child.standing === 'stuck') return changes;
    const lost = this.#verdicts.get(name)?.lost ?? [];
    if (start.config !== undefined && !sameNode(child.start.config, start.config)) {
      changes.push({ kind: 'config', name });
    }
    const to = { ram: start.ram, caps: start.caps };
    if (child.assigned.ram !== to.ram || child.assigned.caps !== to.caps) {
      changes.push({ kind: 'budget', name, from: child.assigned, to });
    }
    const [first] = lost;
    if (first)
      changes.push({ kind: 'stuck', name, why: first.text, lost: lost.map(({ session }) => session) });
    return changes;
  }
}

function providesOf({ start, child }: Kept): Change[] {
  const before = new Set(child.start.provides.map(({ name }) => name));
  const after = new Set(start.provides.map(({ name }) => name));
  const added = [...after].filter((service) => !before.has(service));
  const removed = [...before].filter((service) => !after.has(service));
  if (added.length + removed.length === 0) return [];
  return [{ kind: 'provides', name: start.name, added, removed }];
}

function servedBy(
  route: { kind: 'parent' | 'local'; label: string } | { kind: 'child'; child: string; label: string },
): ServedBy {
  const { kind, label } = route;
  return kind === 'child' ? { kind, child: route.child, label } : { kind, label };
}

/** The child that serves a session. */
function serverOf(to: Destination): string | undefined {
  const server = to.kind === 'no config' ? to.refused : to;
  return server?.kind === 'child' ? server.child : undefined;
}

function leadsTo(before: Destination, now: ServedBy): boolean {
  const server = before.kind === 'no config' ? before.refused : before;
  if (server?.kind !== now.kind || server.label !== now.label) return false;
  return server.kind !== 'child' || (now.kind === 'child' && server.child === now.child);
}

function whyRerouted(reroute: Reroute | undefined): string {
  if (!reroute) return 'its routes have changed';
  const { session, to } = reroute;
  const { to: before } = session;
  if (before.kind === 'config') return 'its <config> is not there any more';
  if (to) return `its ${session.service} session leads to ${whereText(to)} now`;
  return before.kind === 'child'
    ? `its server "${before.child}" is another one`
    : 'its server is another one';
}
