/** A CPU session of the supervisor: starts components, and ends them when it is closed. */
import { RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import { childNameProblem, labelWithin, prependLabel, splitLabel } from '../label.ts';
import type { PlaceDemand, StartOptions, Thread } from '../session/cpu.ts';
import type { Scheduling } from '../session/scheduling.ts';
import { binaryOf, type BinaryTakes } from './binary-service.ts';
import { StartedThread, type ThreadParts } from './started-thread.ts';
import { grantOf } from './host-grants.ts';
import { accountOf } from './pd-service.ts';

/** The label of root init. */
export const ROOT_LABEL = 'init';
/** The domain of components whose start names no other. */
const DEFAULT_DOMAIN = 'main';

/** The parts of the supervisor that a CPU session works with. */
export type CpuParts = ThreadParts;

/** The arguments of the session that hold for everything it starts. */
export interface CpuMeans {
  readonly scheduling: Scheduling;
  /** Whether it must be jailed, because the component that uses the session is. */
  readonly confined: boolean;
}

/** The operations of the `Cpu` interface. */
export class CpuSession {
  readonly #parts: CpuParts;
  readonly #label: string;
  readonly #means: CpuMeans;
  readonly #threads = new Set<StartedThread>();
  #closed = false;

  constructor(parts: CpuParts, label: string, means: CpuMeans) {
    this.#parts = parts;
    this.#label = label;
    this.#means = means;
  }

  start(options: StartOptions): Capability<typeof Thread> {
    try {
      return this.#start(options);
    } catch (error) {
      options.parent[Symbol.dispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#threads, (thread) => thread.dissolve()));
  }

  #start(options: StartOptions): Capability<typeof Thread> {
    if (this.#closed) throw new RpcError('DENIED', 'the CPU session is closed');
    const { scheduling, confined } = this.#means;
    if (confined) refuseUnconfined(options);
    refuseUnnameable(options);
    const binary = binaryOf(options.binary);
    const grants = options.grants.map(grantOf);
    refuseUntrusted(binary.takes, options);
    const account = accountOf(options.pd);
    const place = options.place ?? this.#placeOfStarter();
    const specification = {
      label: this.#label,
      moduleUrl: binary.moduleUrl,
      files: binary.files,
      domain: domainName(this.#label, options.domain ?? DEFAULT_DOMAIN),
      // On another machine everybody has a process to itself.
      ownProcess: options.isolation === 'process' || place !== undefined,
      heapBytes: options.heap,
      ramBytes: account.state.ramQuota,
      hostDepth: options.hostDepth,
      scheduling,
      grants,
      usedGrants: binary.handsOn ? [] : grants,
      jail: binary.takes === 'grant and jail' ? 'required' : (options.jail ?? 'default'),
      confined,
      place,
      code: binary.code,
      account,
    };
    const forgotten = (): void => void this.#threads.delete(thread);
    const thread: StartedThread = new StartedThread(this.#parts, specification, account, options, forgotten);
    this.#threads.add(thread);
    return thread.capability();
  }

  /** A component that runs on another machine starts others there, unless it says where. */
  #placeOfStarter(): PlaceDemand | undefined {
    const { prefix } = splitLabel(this.#label);
    for (const { label, running } of this.#parts.components.live) {
      const { node } = running.placement;
      if (label === prefix) return node === undefined ? undefined : { node, labels: [] };
    }
    return undefined;
  }
}

/**
 * A binary that imports modules of the host is started only with a host grant. Besides, either a
 * start node trusts the starter with it, or a jail holds it to its grants.
 */
function refuseUntrusted(takes: BinaryTakes, { grants, isolation, jail }: StartOptions): void {
  if (takes === 'nothing') return;
  const what = 'the binary imports modules of the host';
  if (grants.length === 0) throw new RpcError('DENIED', `${what}: it is started with a host grant only`);
  if (takes === 'grant' || (isolation === 'process' && jail !== 'no')) return;
  const how = 'no start node trusts its starter with that, so it is started as a process with a jail only';
  throw new RpcError('DENIED', `${what}: ${how}`);
}

/** A jailed component may start only jailed components. */
function refuseUnconfined({ isolation, jail }: StartOptions): void {
  const who = 'who starts it is jailed, and so is what it starts';
  if (isolation === 'thread') {
    throw new RpcError('DENIED', `${who}: isolation "thread" is refused, as threads cannot be jailed`);
  }
  if (jail === 'no') throw new RpcError('DENIED', `${who}: jail "no" is refused`);
}

/**
 * The name of a domain is shown to people and joined to other names by ` -> `, so it must be one
 * that a child could have.
 */
function refuseUnnameable({ domain }: StartOptions): void {
  const problem = domain === undefined ? undefined : childNameProblem(domain);
  if (problem !== undefined) throw new RpcError('DENIED', `domain ${JSON.stringify(domain)}, ${problem}`);
}

/**
 * The name of a domain in the whole system. A component names domains of its own subtree only: root
 * init names them by the plain name; for any other starter its path, which its parents have
 * written, stands in front.
 */
function domainName(label: string, name: string): string {
  const starter = labelWithin(splitLabel(label).prefix, ROOT_LABEL);
  return starter === undefined ? name : prependLabel(starter, name);
}
