/** A CPU session of core: starts components, and ends them when it is closed. */
import { RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import type { StartOptions, Thread } from '../session/cpu.ts';
import type { Scheduling } from '../session/scheduling.ts';
import { CoreThread, type ThreadParts } from './core-thread.ts';
import { accountOf } from './pd-service.ts';
import type { ResolvedGrant } from './platform.ts';

/** What core must know of a binary to start it. */
export interface ResolvedBinary {
  readonly moduleUrl: string;
}

/** Finds binaries and what grants lead to; the command that runs core supplies it. */
export interface Resolver {
  binary(name: string): Promise<ResolvedBinary>;
  grant(grant: StartOptions['grants'][number]): ResolvedGrant;
}

/** What a CPU session is made of. */
export interface CpuParts extends ThreadParts {
  readonly resolver: Resolver;
}

/** The operations of the `Cpu` interface. */
export class CpuSession {
  readonly #parts: CpuParts;
  readonly #label: string;
  readonly #scheduling: Scheduling;
  readonly #threads = new Set<CoreThread>();
  #closed = false;

  constructor(parts: CpuParts, label: string, scheduling: Scheduling) {
    this.#parts = parts;
    this.#label = label;
    this.#scheduling = scheduling;
  }

  async start(options: StartOptions): Promise<Capability<typeof Thread>> {
    try {
      return await this.#start(options);
    } catch (error) {
      options.parent[Symbol.dispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#threads, (thread) => thread.dissolve()));
  }

  async #start(options: StartOptions): Promise<Capability<typeof Thread>> {
    const { resolver } = this.#parts;
    const binary = await this.#resolve(options.binary);
    if (this.#closed) throw new RpcError('DENIED', 'the CPU session is closed');
    const account = accountOf(options.pd);
    const specification = {
      label: this.#label,
      moduleUrl: binary.moduleUrl,
      domain: options.domain,
      ownProcess: options.isolation === 'process',
      heapBytes: options.heap,
      ramBytes: account.state.ramQuota,
      hostDepth: options.hostDepth,
      scheduling: this.#scheduling,
      grants: options.grants.map((grant) => resolver.grant(grant)),
    };
    const forgotten = (): void => void this.#threads.delete(thread);
    const thread: CoreThread = new CoreThread(this.#parts, specification, account, options, forgotten);
    this.#threads.add(thread);
    return thread.capability();
  }

  async #resolve(name: string): Promise<ResolvedBinary> {
    try {
      return await this.#parts.resolver.binary(name);
    } catch (error) {
      throw new RpcError('NO_BINARY', error instanceof Error ? error.message : `no binary "${name}"`);
    }
  }
}
