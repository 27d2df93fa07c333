/** The report of a machine: how it is, and what it has done. */
import type { Env } from '@ginit/core';
import { ConfigNode } from '@ginit/core/config';
import type { MachineMetrics, MachineState } from '@ginit/core/machine';
import { Reporter } from '@ginit/core/report';
import type { ReportConfig } from './schema.ts';

const US_IN_MS = 1000;

/** What is reported. */
export interface ReportedMachine {
  readonly state: MachineState['state'];
  /** The engine, its processors and memory. */
  readonly about: string;
  /** Why it stands still. */
  readonly whys: readonly string[];
  readonly metrics: MachineMetrics | undefined;
}

/** The report as a tree. */
export function machineReport({ state, about, whys, metrics }: ReportedMachine): ConfigNode {
  return ConfigNode.make(
    'machine',
    {
      state,
      about,
      busy_ms: metrics?.busyUs === undefined ? undefined : Math.round(metrics.busyUs / US_IN_MS),
      instructions: metrics?.instructions,
      exits: metrics?.exits,
      idles: metrics?.idles,
      reads: metrics?.reads,
      read_bytes: metrics?.readBytes,
      writes: metrics?.writes,
      written_bytes: metrics?.writtenBytes,
      flushes: metrics?.flushes,
      frames: metrics?.frames,
    },
    whys.map((why) => ConfigNode.make('paused', { why })),
  );
}

/** Reports a machine when it changes, and now and then. */
export class MachineReports {
  readonly #env: Pick<Env, 'connect' | 'close' | 'warning' | 'timer'>;
  readonly #reporter: Reporter;
  readonly #look: () => Promise<ReportedMachine>;
  readonly #stop: () => void;
  #hasWarned = false;
  /** The report that is being made, and whether one more is wanted then. */
  #making: Promise<void> | undefined;
  #isWanted = false;

  /** `look` tells how the machine is. */
  constructor(
    env: Pick<Env, 'connect' | 'close' | 'warning' | 'timer'>,
    { label, interval_ms: intervalMs, buffer }: ReportConfig,
    look: () => Promise<ReportedMachine>,
  ) {
    this.#env = env;
    this.#look = look;
    this.#reporter = new Reporter(env, label, { bufferBytes: buffer });
    this.#stop = env.timer.every(intervalMs, () => this.submit());
  }

  /** Reports the machine as it is. */
  submit(): void {
    this.#isWanted = true;
    this.#making ??= this.#make().finally(() => (this.#making = undefined));
  }

  async #make(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      try {
        await this.#reporter.report(machineReport(await this.#look()));
      } catch (error) {
        if (!this.#hasWarned) void this.#env.warning(`no report of the machine: ${String(error)}`);
        this.#hasWarned = true;
      }
    }
  }

  /** The last report; nothing is reported behind it. */
  async end(): Promise<void> {
    this.#stop();
    this.submit();
    await this.#making;
  }
}
