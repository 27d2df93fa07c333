/**
 * Starts crashed children again, as their start nodes allow. Sessions that the servers of a crashed
 * child have yet to close do not delay that.
 */
import type { Env } from '@ginit/core';
import type { ThreadState } from '@ginit/core/system';
import type { StartNode } from '../model/index.ts';
import type { Child } from './child.ts';
import type { HowItEnds } from './child-states.ts';
import type { RestartRecord, RestartRecords } from './restart-record.ts';
import { Successor } from './successor.ts';

/** The services of the sandbox that recovery needs. */
export interface RecoveryHost {
  readonly env: Pick<Env, 'error' | 'warning'> & { readonly timer: Pick<Env['timer'], 'elapsedUs'> };
  readonly records: RestartRecords;
  /** The child with this name; `undefined` when everything is being stopped, too. */
  current(name: string): Child | undefined;
  make(start: StartNode, before: Child): Child;
  launch(child: Child, pauseMs: number): Promise<void>;
  end(child: Child, how: HowItEnds): Promise<void>;
  /** A child whose exit is to be propagated stays down. */
  failed(): void;
}

/** How a child crashed, and whether by its own doing. */
type Crash = Pick<ThreadState, 'reason' | 'culprit' | 'nodeLost'>;

/** The recovery of the children of one sandbox. */
export class Recovery {
  readonly #host: RecoveryHost;

  constructor(host: RecoveryHost) {
    this.#host = host;
  }

  /** Ends a child that has crashed. If that is granted, it is started again when it is gone. */
  async recover(child: Child, crash: Crash, how: HowItEnds): Promise<void> {
    const { name } = child;
    const why = crash.reason ?? 'it has ended';
    const again = child.start.restart !== undefined || crash.nodeLost === true;
    const successor = again ? new Successor(name) : undefined;
    child.over = { how: 'crashed', why, undecided: successor };
    child.server.afterwards.become(successor, crash.nodeLost === true);
    if (how === 'stopped') await child.stop();
    const ended = this.#host.end(child, how);
    await child.gone;
    const record = this.#host.records.of(name);
    const granted = await this.#grants(record, crash).catch(() => false);
    child.over = { how: 'crashed', why };
    // The config may have changed meanwhile, and something else may have taken its place.
    const current = this.#host.current(name);
    const isCurrent = current === child;
    const next = isCurrent && granted ? this.#host.make(child.start, child) : undefined;
    successor?.decide((next ?? (isCurrent ? undefined : current))?.server);
    if (next && crash.nodeLost === true) await this.#host.launch(next, 0);
    else if (next && record) await this.#startAgain(next, record);
    else if (isCurrent) await this.#staysDown(child, why);
    await ended;
  }

  /** A child whose node is lost is started again in any case: the new one waits for a node. */
  async #grants(
    record: RestartRecord | undefined,
    { culprit = true, nodeLost = false }: Crash,
  ): Promise<boolean> {
    if (nodeLost) return true;
    return record?.budget !== undefined && record.grant(culprit, await this.#host.env.timer.elapsedUs());
  }

  async #startAgain(child: Child, { count, pauseMs, budget }: RestartRecord): Promise<void> {
    child.restarting = true;
    const { max = 0, periodS = 0 } = budget ?? {};
    const text = `child "${child.name}" is started again (${count} of ${max} in ${periodS} s)`;
    await this.#host.env.warning(text);
    await this.#host.launch(child, pauseMs);
  }

  async #staysDown(child: Child, why: string): Promise<void> {
    const { name, start } = child;
    if (start.restart) {
      const { max, periodS } = start.restart;
      const bound = `gave up: ${max} ${max === 1 ? 'crash' : 'crashes'} in ${periodS} s, last: ${why}`;
      child.over = { how: 'crashed', why: bound, gaveUp: true };
      await this.#host.env.error(`child "${name}" has crashed too often and stays down`);
    }
    if (start.exitPropagate) this.#host.failed();
  }
}
