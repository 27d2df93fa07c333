/**
 * What a sandbox tells others, and what it offers to them: its state report, the heartbeats of its
 * children, and the services of its children that it forwards to its parent. None of this decides
 * how children are run.
 */
import type { Env } from '@ginit/core';
import { writeHid, writeXml } from '@ginit/core/config';
import { Reporter } from '@ginit/core/report';
import { announceRoot, type ChildAction, keepOverview, type PlannedLine } from '@ginit/core/system';
import { type InitConfig, type ReportOptions, STATE_LABEL } from '../model/index.ts';
import type { SandboxReport } from '../report/index.ts';
import type { ServiceDirectory } from '../routing/index.ts';
import { childReport } from './child-report.ts';
import type { Child } from './child.ts';
import { Forwarding } from './forwarding.ts';
import { type BeatingChild, Heartbeats } from './heartbeats.ts';
import { childOverview, type ChildStanding, type Looking, standingOf } from './overview.ts';
import { StateReporter } from './state-reporter.ts';
import { announcementText, childText, parentServicesText } from './verbose.ts';

/** What is observed. */
export interface ObservationHost {
  readonly env: Env;
  config(): InitConfig;
  directory(): ServiceDirectory;
  /** The children of the config that were not taken out of it, in its order. */
  children(): Iterable<Child>;
  /** Whether the child has waited for a server for a while. */
  waits(child: string): boolean;
  /** The changes that another config would bring, in lines for people. */
  plan(content: Uint8Array): readonly PlannedLine[];
  restart(child: string, why: string): void;
  /** Does to a child what somebody asks for; the result says why it is impossible. */
  act(action: ChildAction, child: string): Promise<string | undefined>;
}

/** Observes one sandbox. */
export class Observation {
  readonly #host: ObservationHost;
  readonly #reporter: StateReporter;
  readonly #heartbeats: Heartbeats;
  readonly #forwarding: Forwarding;

  constructor(host: ObservationHost) {
    const { env } = host;
    this.#host = host;
    this.#reporter = new StateReporter({
      after: (ms, handler) => env.timer.after(ms, handler),
      every: (ms, handler) => env.timer.every(ms, handler),
      state: (options) => this.#state(options),
      open: (bufferBytes) => {
        const write = host.config().reportSyntax === 'hid' ? writeHid : writeXml;
        return new Reporter(env, STATE_LABEL, { bufferBytes, write });
      },
      warning: (text) => env.warning(text),
    });
    this.#heartbeats = new Heartbeats({
      after: (ms, handler) => env.timer.after(ms, handler),
      children: () => Array.from(host.children(), beatingChild),
      skipped: () => this.#reporter.changed(),
      restart: (name, skipped) => {
        void env.warning(`child "${name}" has missed ${skipped} heartbeats and is started again`);
        host.restart(name, `it has missed ${skipped} heartbeats`);
      },
    });
    keepOverview(env, {
      children: () => Array.from(host.children(), (child) => childOverview(child, this.#looking(child))),
      act: (action, name) => host.act(action, name),
      plan: (content) => host.plan(content),
    });
    this.#forwarding = new Forwarding({
      pd: env.pd,
      announce: (service, root) => announceRoot(env, service, root),
      serverOf: (name, service) => this.#serverOf(name, service),
      warning: (text) => env.warning(text),
    });
  }

  /** How the children stand. */
  standings(): ChildStanding[] {
    return Array.from(this.#host.children(), (child) => standingOf(child, this.#looking(child)));
  }

  #looking({ name }: Child): Looking {
    const { config, directory, waits } = this.#host;
    return { config: config(), directory: directory(), waits: waits(name) };
  }

  /**
   * A config has been applied; `changes` says whether children or their services have changed by
   * it.
   */
  apply(config: InitConfig, changes: boolean): void {
    if (config.verbose) void this.#host.env.log(parentServicesText(config));
    this.#heartbeats.apply(config.heartbeatRateMs);
    this.#forwarding.apply(config.services);
    this.#reporter.apply(config.report);
    if (changes) this.#reporter.changedNow();
    else this.#reporter.changed();
  }

  /** Something has changed. */
  changed(): void {
    this.#reporter.changed();
  }

  /** Something has changed that a manager waits for. */
  changedNow(): void {
    this.#reporter.changedNow();
  }

  /** A child was made. */
  made(child: Child): void {
    if (this.#host.config().verbose) void this.#host.env.log(childText(child.start));
    this.childChanged();
  }

  /** A child has announced a service. */
  announced(child: Child, service: string): void {
    if (this.#host.config().verbose) void this.#host.env.log(announcementText(child.name, service));
  }

  /** A child has come or gone. */
  childChanged(): void {
    this.#forwarding.lookAgain();
    this.#reporter.changed();
  }

  /** The sandbox is being stopped: nobody is told any more. */
  end(): void {
    this.#heartbeats.end();
    this.#reporter.end();
  }

  #serverOf(name: string, service: string): Child['server'] | undefined {
    if (!this.#host.directory().childProvides(name, service)) return undefined;
    for (const child of this.#host.children()) if (child.name === name && !child.ended) return child.server;
    return undefined;
  }

  async #state(options: ReportOptions): Promise<SandboxReport> {
    const config = this.#host.config();
    const around = { config, directory: this.#host.directory() };
    // Genode's init leaves children out that it could not create.
    const children = [...this.#host.children()].filter(({ over }) => options.why || over?.how !== 'failed');
    const [account, ...reports] = await Promise.all([
      options.initRam || options.initCaps ? this.#host.env.quota() : undefined,
      ...children.map((child) => childReport(child, options, around)),
    ]);
    return { version: config.version, account, children: reports };
  }
}

function beatingChild(child: Child): BeatingChild {
  return {
    name: child.name,
    heartbeatOptions: child.start.heartbeat,
    heartbeat: child.heartbeat,
    alive: child.running && !child.ended && !child.over,
  };
}
