/**
 * Runs the start nodes of a config one after another (reference: Genode's `sequence`). There is one
 * child at a time, by a sandbox of its own. A step is over when the child has exited, has crashed,
 * or could not be started; the next one begins when nothing is left of it, with all quota that
 * there is.
 */
import type { Env } from '@ginit/core';
import { type Deferred, quietDeferred } from '@ginit/core/async';
import { ConfigNode } from '@ginit/core/config';
import type { Resources } from '@ginit/core/system';
import { formatWarning, type InitConfig, readInitConfig, readSequenceConfig } from '../model/index.ts';
import { sameNode } from '../plan/index.ts';
import { NOTHING } from '../sandbox/amounts.ts';
import { pauseAfter } from '../sandbox/restart-record.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import { nextStep } from './next-step.ts';

const NO_CHILD = readInitConfig(ConfigNode.empty('config')).config;

/** The step that is being done. */
interface Running {
  index: number;
  readonly name: string;
  /**
   * Settles with the exit code; with `undefined` if the config does not name the child any more.
   */
  readonly over: Deferred<number | undefined>;
}

/** One sequence. */
export class Sequence {
  readonly #env: Env;
  readonly #sandbox: Sandbox;
  /** The newest config without errors; `undefined` before there is one. */
  #node: ConfigNode | undefined;
  /** The newest config, if it has errors. */
  #broken: ConfigNode | undefined;
  #running: Running | undefined;
  #stopping = false;

  constructor(env: Env) {
    this.#env = env;
    this.#sandbox = new Sandbox(env, (code) => this.#running?.over.resolve(code), {
      requested: (_, amount) => void this.#askFor(amount),
    });
  }

  /**
   * Takes a version of the config. The start node of the child that runs is applied to it as init
   * does; which child comes next is decided by the newest version. A version with errors changes
   * nothing.
   */
  follow(node: ConfigNode): void {
    if (this.#broken && sameNode(this.#broken, node)) return;
    const { errors, warnings, steps } = readSequenceConfig(node, NOTHING);
    for (const warning of warnings) void this.#env.warning(formatWarning(warning));
    for (const error of errors) void this.#env.error(error.message);
    this.#broken = errors.length > 0 ? node : undefined;
    if (this.#broken) return void this.#env.error('this config is not applied');
    const isFirst = this.#node === undefined;
    this.#node = node;
    if (isFirst) void this.#run();
    const running = this.#running;
    if (!running) return;
    const index = placeOf(running, steps);
    if (index === undefined) return running.over.resolve(undefined);
    running.index = index;
    void this.#refresh();
  }

  /** Stops the child in order. Settles when nothing is left of it. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#sandbox.stop();
  }

  async #run(): Promise<void> {
    let failures = 0;
    let index: number | undefined = 0;
    while (index !== undefined && !this.#stopping) {
      if (!this.#steps(NOTHING)[index]) return this.#env.exit(0);
      const { code, at } = await this.#perform(index);
      if (this.#stopping) return;
      failures = code === 0 ? 0 : failures + 1;
      const next = nextStep(this.#options, this.#steps(NOTHING).length, at, code);
      if ('exit' in next) return this.#env.exit(next.exit);
      index = next.index;
      const pauseMs = pauseAfter(failures);
      if (pauseMs > 0) await this.#env.timer.sleep(pauseMs);
    }
  }

  /**
   * Does one step. The result says how the child has ended, and where in the config it was then.
   */
  async #perform(index: number): Promise<{ readonly code: number | undefined; readonly at: number }> {
    const step = this.#steps(await this.#sandbox.spare())[index];
    const [start] = step?.starts ?? [];
    if (!step || !start) return { code: undefined, at: index };
    const running: Running = { index, name: start.name, over: quietDeferred() };
    this.#running = running;
    void this.#sandbox.apply(propagating(step));
    const code = await running.over.promise;
    this.#running = undefined;
    await this.#sandbox.apply(NO_CHILD);
    return { code, at: running.index };
  }

  /** Applies the newest start node of the child that runs, with all quota that there is. */
  async #refresh(): Promise<void> {
    const running = this.#running;
    const spare = await this.#sandbox.spare();
    const [child] = this.#sandbox.existing();
    if (!running || running !== this.#running || !child || this.#stopping) return;
    const { ram, caps } = child.assigned;
    const step = this.#steps({ ram: ram + spare.ram, caps: caps + spare.caps })[running.index];
    if (step) void this.#sandbox.apply(propagating(step));
  }

  /** The child has all that there is: more comes from above only. */
  async #askFor(amount: Resources): Promise<void> {
    try {
      await this.#env.requestResources(amount);
    } catch {
      // Nobody gives any more: the parent is going, and this component with it.
      return;
    }
    await this.#refresh();
  }

  get #options(): ReturnType<typeof readSequenceConfig>['options'] {
    return readSequenceConfig(this.#node ?? ConfigNode.empty('config'), NOTHING).options;
  }

  #steps(left: Resources): readonly InitConfig[] {
    return readSequenceConfig(this.#node ?? ConfigNode.empty('config'), left).steps;
  }
}

/** The step with its child's exit told to the sequence. */
function propagating(step: InitConfig): InitConfig {
  return { ...step, starts: step.starts.map((start) => ({ ...start, exitPropagate: true })) };
}

/** Where a new config has the child that runs: where it was, if that is possible. */
function placeOf({ name, index }: Running, steps: readonly InitConfig[]): number | undefined {
  const isIt = (step: InitConfig | undefined): boolean => step?.starts[0]?.name === name;
  if (isIt(steps[index])) return index;
  const found = steps.findIndex(isIt);
  return found === -1 ? undefined : found;
}
