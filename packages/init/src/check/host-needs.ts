import { prependLabel } from '@ginit/core/system';
import { hasOwnProcess, heldBy, type InitConfig } from '../model/index.ts';
import type { CheckFindings } from './findings.ts';

/** How much of the host ginit may use. A bound that is not known is not checked. */
export interface HostLimits {
  /** Open file descriptors of one process (`ulimit -n`). */
  readonly descriptors?: number | undefined;
  /** Processes and threads of the user (`ulimit -u`). */
  readonly threads?: number | undefined;
}

/** An estimate of the host's resources that a configuration needs. */
interface HostNeeds {
  readonly processes: number;
  readonly components: number;
}

/*
 * Figures measured with Node 20 to 26 on Linux: the descriptors that ginit's own process has open,
 * the descriptors that it holds for each process that it starts, the reserve that it keeps free
 * (`process-start.ts` of core), and the threads of a process and of a component.
 */
const OWN_DESCRIPTORS = 24;
const DESCRIPTORS_PER_PROCESS = 6;
const FREE_DESCRIPTORS = 30;
const THREADS_PER_PROCESS = 24;
const THREADS_PER_COMPONENT = 1;

/** Domain of components that name none. */
const DEFAULT_DOMAIN = 'main';

/**
 * Warns if the host will not let all of it start. This is no error, because everything that can be
 * started is started.
 */
export function checkHostNeeds(config: InitConfig, limits: HostLimits, findings: CheckFindings): void {
  const { processes, components } = needsOf(config);
  const descriptors = OWN_DESCRIPTORS + DESCRIPTORS_PER_PROCESS * processes + FREE_DESCRIPTORS;
  const threads = THREADS_PER_PROCESS * (processes + 1) + THREADS_PER_COMPONENT * components;
  const { position } = config.node;
  if (limits.descriptors !== undefined && descriptors > limits.descriptors) {
    const need = `${processes} processes need about ${descriptors} file descriptors in ginit`;
    findings.warn(`${need}, and it may have ${limits.descriptors} (ulimit -n)`, position);
  }
  if (limits.threads !== undefined && threads > limits.threads) {
    const need = `${processes} processes with ${components} components need about ${threads} threads`;
    findings.warn(`${need}, and this user may have ${limits.threads} (ulimit -u)`, position);
  }
}

/** The processes that components have to themselves, and all components. */
interface Needs {
  readonly own: number;
  readonly components: number;
}

/**
 * Adds up the needs of the whole tree: the process of the outermost init, and everything that
 * nested inits start. Of the steps of a sequence the largest counts.
 */
function needsOf(outermost: InitConfig): HostNeeds {
  const domains = new Set<string>();
  /**
   * `path` is the path of the init. It stands in front of its children's domains, because these
   * names count only within the init's own subtree.
   */
  const count = ({ starts }: InitConfig, path: string | undefined): Needs => {
    const below = (name: string): string => (path === undefined ? name : prependLabel(path, name));
    let [own, components] = [0, 0];
    for (const start of starts) {
      if (start.place) continue;
      components++;
      if (hasOwnProcess(start)) own++;
      else domains.add(below(start.domain ?? DEFAULT_DOMAIN));
      const held = (heldBy(start)?.configs ?? []).map((config) => count(config, below(start.name)));
      own += Math.max(0, ...held.map((needs) => needs.own));
      components += Math.max(0, ...held.map((needs) => needs.components));
    }
    return { own, components };
  };
  const { own, components } = count(outermost, undefined);
  return { processes: 1 + own + domains.size, components: 1 + components };
}
