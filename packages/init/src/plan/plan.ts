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
  /** Sessions without a route, for which the child takes new ones when there is a route again. */
  readonly detached: { readonly session: RoutedSession; readonly text: string }[];
}

/** What is planned beside the changes of the config. */
export interface PlanOptions {
  /** Children that are restarted whatever the config says, each with the reason. */
  readonly forced?: ReadonlyMap<string, string>;
  /** Whether children that could not be created are tried again; they are unless this is false. */
  readonly retry?: boolean;
  /** Children whose replacements are ready and take their places now. */
  readonly ready?: ReadonlySet<string>;
}

/**
 * Why something happens, and the child that must be replaced before, if it does not come at once.
 */
interface Later {
  readonly why: string;
  readonly after: string | undefined;
}

type Reattached = Later & { readonly session: Reroute };

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
  /** The sessions that children are handed anew, and why. */
  readonly #reattached = new Map<string, (Later & { readonly sessions: Reroute[] })[]>();
  readonly #restarts = new Map<string, Later & { readonly reroutes: readonly Reroute[] }>();
  /** The children that go on until others are ready to take their places. */
  readonly #replaced = new Map<string, { readonly why: string; readonly child: ExistingChild }>();
  /** The clients of each server, with their sessions. */
  readonly #clients = new Map<string, { readonly name: string; readonly session: RoutedSession }[]>();

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
      else if (this.#canGoOn(start, child)) this.#replaced.set(start.name, { why, child });
      else this.#restarts.set(start.name, { why, reroutes: [], after: undefined });
    };
    if (this.#options.ready?.has(start.name)) {
      const why = 'its replacement is ready';
      return void this.#restarts.set(start.name, { why, reroutes: [], after: start.name });
    }
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
   * too, and its clients are in turn, unless all that it loses are sessions that it takes anew.
   * Whatever follows from a replacement comes when that is ready.
   */
  #spreadRestarts(): void {
    for (const [name, kept] of this.#kept) this.#judge(name, kept);
    for (const [name, { child }] of this.#replaced) {
      // It goes on by the start node that it has.
      const { lost, reroutes } = this.#verdict({ start: child.start, child });
      if (lost.length + reroutes.length > 0) this.#replaceNow(name);
      else this.#noteServers(name, child);
    }
    const now = [...this.#restarts].filter(([, { after }]) => after === undefined);
    this.#spread([...this.#starts.keys(), ...now.map(([name]) => name)], undefined);
    for (const name of [...this.#replaced.keys(), ...(this.#options.ready ?? [])]) this.#spread([name], name);
  }

  /** What its own routes do to a child that its start node leaves as it is. */
  #judge(name: string, kept: Kept): void {
    const { start, child } = kept;
    const verdict = this.#verdict(kept);
    this.#verdicts.set(name, verdict);
    for (const { session, text } of verdict.detached) {
      this.#reattach(name, { why: text, after: undefined, session: { session, to: undefined } });
    }
    if (verdict.lost.length > 0) return;
    const [first] = verdict.reroutes;
    const stuck = child.standing === 'stuck';
    if (!first && !stuck) return this.#noteServers(name, child);
    const why = stuck ? 'all of its sessions have a route again' : whyRerouted(first);
    // What the parent serves is there as long as the child is, its old binary for instance.
    const goesOn = verdict.reroutes.every(({ session }) => session.to.kind === 'parent');
    if (goesOn && this.#canGoOn(start, child)) this.#replaced.set(name, { why, child });
    else this.#restarts.set(name, { why, reroutes: verdict.reroutes, after: undefined });
  }

  /** Whether a child may go on until another one is ready to take its place. */
  #canGoOn(start: StartNode, { standing, ready }: ExistingChild): boolean {
    return start.replaceReady && standing === 'alive' && ready;
  }

  #replaceNow(name: string): void {
    const why = this.#replaced.get(name)?.why ?? '';
    this.#replaced.delete(name);
    this.#restarts.set(name, { why, reroutes: [], after: undefined });
  }

  #noteServers(name: string, { sessions }: ExistingChild): void {
    for (const session of sessions) {
      const server = serverOf(session.to);
      if (server === undefined) continue;
      const known = this.#clients.get(server);
      if (known) known.push({ name, session });
      else this.#clients.set(server, [{ name, session }]);
    }
  }

  /**
   * What becomes of the clients of servers that are others, when `after` is replaced or at once.
   */
  #spread(servers: string[], after: string | undefined): void {
    const atOnce = after === undefined || this.#options.ready?.has(after) === true;
    for (let server = servers.pop(); server !== undefined; server = servers.pop()) {
      for (const { name, session } of this.#clients.get(server) ?? []) {
        if (this.#restarts.has(name)) continue;
        const why = `its server "${server}" is another one`;
        if (this.#takesAnew(name, session)) {
          this.#reattach(name, { why, after, session: { session, to: session.to } });
          continue;
        }
        // A child that is being replaced itself has not to be restarted, too.
        if (this.#replaced.has(name) && !atOnce) continue;
        this.#replaced.delete(name);
        this.#restarts.set(name, { why, reroutes: [{ session, to: undefined }], after });
        servers.push(name);
      }
    }
  }

  #takesAnew(name: string, session: RoutedSession): session is RoutedSession & { readonly to: ServedBy } {
    const start = this.#replaced.get(name)?.child.start ?? this.#kept.get(name)?.start;
    const { kind } = session.to;
    return start?.reattach === true && session.reattach === true && (kind === 'child' || kind === 'parent');
  }

  #reattach(name: string, { why, after, session }: Reattached): void {
    const known = this.#reattached.get(name) ?? [];
    this.#reattached.set(name, known);
    const same = known.find((it) => it.after === after && it.why === why);
    if (same) same.sessions.push(session);
    else known.push({ why, after, sessions: [session] });
  }

  #verdict({ start, child }: Kept): Verdict {
    const verdict: Verdict = { lost: [], reroutes: [], detached: [] };
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
        else if (this.#takesAnew(start.name, session)) verdict.detached.push({ session, text: route.text });
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
    const replaced = this.#replaced.get(name);
    if (replaced) return [...this.#reattachesOf(name), { kind: 'replace', start, why: replaced.why }];
    const kept = this.#kept.get(name);
    const restart = this.#restarts.get(name);
    if (!restart) return kept ? this.#updatesOf(kept) : [];
    const later = restart.after !== undefined && !this.#options.ready?.has(restart.after);
    return [...(later && kept ? this.#updatesOf(kept) : []), { kind: 'restart', start, ...restart }];
  }

  #reattachesOf(name: string): Change[] {
    return (this.#reattached.get(name) ?? []).map(({ why, after, sessions }) => ({
      kind: 'reattach',
      name,
      why,
      after,
      sessions,
    }));
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
    changes.push(...this.#reattachesOf(name));
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
