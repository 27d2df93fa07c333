/** What a running system answers at its control socket. */
import { integer, list, oneOf, optional, record, text } from '@ginit/core';
import { configContent } from '@ginit/core/config';
import { type NodeStanding, ROOT_LABEL, type Supervisor } from '@ginit/core/supervisor';
import { CHILD_ACTIONS, prependLabel } from '@ginit/core/system';
import { planTree, type Planner } from '../plan/index.ts';
import {
  CONTROL_LIMITS,
  type ControlCall,
  ControlError,
  type ControlHandlers,
  fromRoot,
  incompleteness,
  meantBy,
  nodeLine,
  type SystemTree,
  treeOf,
} from './control/index.ts';
import type { CheckedConfig } from './checked-config.ts';
import { consoleRequests } from './console-requests.ts';
import { machineRequests } from './machine-requests.ts';
import { freeOfErrors } from './live-config.ts';
import { traceRequests } from './trace-requests.ts';
import type { LogKeeper, LogPiece } from './log-keeper.ts';
import { reportRequests } from './report-requests.ts';

const labelShape = text(CONTROL_LIMITS.labelCharacters);
const actArguments = record({ action: oneOf(CHILD_ACTIONS), label: labelShape });
const logArguments = record({ label: labelShape, follow: optional(oneOf(['yes'])) });
const planArguments = record({ file: text(CONTROL_LIMITS.pathCharacters) });
const waitArguments = record({
  labels: list(labelShape, CONTROL_LIMITS.labels),
  timeoutMs: integer(0, 2 ** 31 - 1),
});

/** How often a system is looked at that somebody waits for. */
const LOOK_MS = 100;
/**
 * Characters that wait for a follower of a log who does not read; what is more is lost, and said.
 */
const FOLLOWER_CHARACTERS = 1024 * 1024;

/** The parts of a running system that answer. */
export interface ControlParts {
  readonly supervisor: Pick<
    Supervisor,
    'overview' | 'act' | 'reports' | 'terminals' | 'machines' | 'plan' | 'openTrace'
  >;
  /** Checks another config as if it were that of the system. */
  readonly check: (file: string) => Promise<CheckedConfig>;
  readonly logs: LogKeeper;
  /** The machines of its cluster, if it has one. */
  readonly nodes?: (() => readonly NodeStanding[]) | undefined;
}

/** The requests that ask for how the system stands, and those that act on one component. */
export function controlRequests({ supervisor, logs, check, nodes }: ControlParts): ControlHandlers {
  const tree = async (): Promise<SystemTree> => treeOf(await supervisor.overview());
  return {
    ...consoleRequests(supervisor),
    ...machineRequests(supervisor),
    ...traceRequests(supervisor),
    ...reportRequests(supervisor),
    tree,
    nodes: () => {
      if (!nodes) throw new ControlError('REFUSED', 'this system is no head of a cluster (--bus)');
      return { nodes: nodes().map(nodeLine) };
    },
    act: async (args) => {
      const { action, label: wanted } = actArguments(args, 'with');
      const found = meant(wanted, labelsOf(await tree()));
      const problem = await supervisor.act(action, found);
      if (problem !== undefined) throw new ControlError('REFUSED', problem);
      return { label: found };
    },
    log: async (args, call) => {
      const { label: wanted, follow } = logArguments(args, 'with');
      const known = [...new Set([...labelsOf(await tree()), ...logs.labels])];
      const found = follow === 'yes' ? (meantBy(wanted, known) ?? fromRoot(wanted)) : meant(wanted, known);
      const following = follow === 'yes' ? new Follower(logs, found, call) : undefined;
      for (const piece of logs.recent(found)) await call.send(piece);
      await following?.run();
      return { label: found };
    },
    plan: async (args) => {
      const { file } = planArguments(args, 'with');
      const checked = await check(file);
      const { warnings, errors } = checked;
      const sound = freeOfErrors(checked);
      if (!sound) return { warnings, errors, changes: [] };
      const planner: Planner = (path, config) => {
        const label = path === undefined ? ROOT_LABEL : prependLabel(ROOT_LABEL, path);
        return supervisor.plan(label, configContent(config.node));
      };
      const changes = await planTree(planner, sound.config);
      if (!changes) throw new ControlError('REFUSED', 'root init is not there yet');
      return { warnings, errors, changes };
    },
    wait: async (args, { signal }) => {
      const { labels, timeoutMs } = waitArguments(args, 'with');
      const endMs = performance.now() + timeoutMs;
      for (;;) {
        const incomplete = missing(await tree(), labels);
        const leftMs = endMs - performance.now();
        if (incomplete.length === 0 || leftMs <= 0 || signal.aborted) return { incomplete };
        await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, leftMs)));
      }
    },
  };
}

const labelsOf = ({ components }: SystemTree): string[] => components.map((node) => node.label);

function meant(wanted: string, labels: readonly string[]): string {
  const found = meantBy(wanted, labels);
  if (found !== undefined) return found;
  const several = labels.filter((one) => one.endsWith(` -> ${wanted}`));
  const which = several.length > 1 ? `: it could be ${several.map((one) => `"${one}"`).join(' or ')}` : '';
  throw new ControlError('NOT_FOUND', `there is no component "${wanted}"${which}`);
}

/** The components that are not complete, each with its reason; those that are named, or all. */
function missing(
  tree: SystemTree,
  wanted: readonly string[],
): { readonly label: string; readonly reason: string }[] {
  const labels = labelsOf(tree);
  const named = wanted.map((one) => ({ label: one, found: meantBy(one, labels) }));
  const absent = named
    .filter(({ found }) => found === undefined)
    .map((one) => ({ label: one.label, reason: 'there is no such component' }));
  const found = new Set(named.map((one) => one.found));
  const incomplete = tree.components.flatMap((node) => {
    const reason = wanted.length === 0 || found.has(node.label) ? incompleteness(node) : undefined;
    return reason === undefined ? [] : [{ label: node.label, reason }];
  });
  return [...absent, ...incomplete];
}

/** Somebody who follows a log. What has come and is not sent yet is bounded. */
class Follower {
  readonly #call: ControlCall;
  readonly #end: () => void;
  #waiting: LogPiece[] = [];
  #characters = 0;
  #lost = 0;
  #wake: () => void = () => {};

  constructor(logs: LogKeeper, label: string, call: ControlCall) {
    this.#call = call;
    this.#end = logs.follow(label, (piece) => this.#take(piece));
  }

  /** Settles when the client has had enough. */
  async run(): Promise<void> {
    const { signal, send } = this.#call;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const piece = this.#waiting.shift();
      if (piece) {
        this.#characters -= piece.text.length;
        await send(piece);
      } else if (this.#lost > 0) {
        const lost = this.#lost;
        this.#lost = 0;
        await send({ lost });
      } else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#end();
  }

  #take(piece: LogPiece): void {
    if (this.#characters + piece.text.length > FOLLOWER_CHARACTERS) this.#lost++;
    else {
      this.#characters += piece.text.length;
      this.#waiting.push(piece);
    }
    this.#wake();
  }
}
