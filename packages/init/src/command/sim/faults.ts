/** Brings about the faults of a run, each before the task that its chance has picked. */
import type { Simulation } from '@ginit/core/platform/sim/index';
import { ROOT_LABEL } from '@ginit/core/supervisor';
import { type ConcreteFault, concreteFaults, pickByLabel, type StruckFault } from './concrete-faults.ts';
import type { FaultPlan } from './fault-plan.ts';

/** The faults of one run. */
export class Faults {
  readonly #simulation: Simulation;
  readonly #tell: (text: string) => void;
  /** The latest first. */
  readonly #due: ConcreteFault[];
  /** Those that found somebody to happen to, in their order. */
  readonly struck: StruckFault[] = [];

  /** `only` has the numbers of the faults that may happen; without it all may. */
  constructor(
    plan: FaultPlan,
    only: readonly number[] | undefined,
    simulation: Simulation,
    tell: (text: string) => void,
  ) {
    this.#simulation = simulation;
    this.#tell = tell;
    this.#due = concreteFaults(plan, simulation.random, only).toReversed();
  }

  /** So many tasks have run: what is due happens. True if something has. */
  strike(tasks: number): boolean {
    let struck = false;
    for (let next = this.#due.at(-1); next && next.afterTasks <= tasks; next = this.#due.at(-1)) {
      this.#due.pop();
      const text = this.#perform(next);
      if (text === undefined) continue;
      struck = true;
      this.struck.push({ number: next.number, afterTasks: tasks, text });
      this.#tell(`fault ${next.number}: ${text}`);
    }
    return struck;
  }

  /** What has happened; `undefined` if there was nobody for it to happen to. */
  #perform(concrete: ConcreteFault): string | undefined {
    const { fault } = concrete;
    switch (fault.kind) {
      case 'crash':
        return this.#crash(concrete, fault.component, fault.process);
      case 'stall':
        return this.#stall(concrete, fault.component, fault.ms);
      case 'clock-jump':
        this.#simulation.platform.clockOffMs += fault.byS * 1000;
        return `the wall clock jumps by ${fault.byS} s`;
      case 'power-cut':
        return this.#powerCut(concrete, fault.torn);
    }
  }

  #crash(concrete: ConcreteFault, label: string | undefined, process: boolean): string | undefined {
    const { platform } = this.#simulation;
    const victim = this.#victim(concrete, label);
    if (!victim) return undefined;
    if (process) platform.crashProcess(victim.id, 'its process was ended by the fault plan');
    else platform.crash(victim.id, 'crashed by the fault plan');
    return `[${victim.label}] crashes${process ? ' with its process' : ''}`;
  }

  #stall(concrete: ConcreteFault, label: string | undefined, ms: number): string | undefined {
    const victim = this.#victim(concrete, label);
    if (!victim) return undefined;
    this.#simulation.scheduler.hold(victim.id, ms * 1000);
    return `[${victim.label}] stalls for ${ms} ms`;
  }

  #victim(
    concrete: ConcreteFault,
    label: string | undefined,
  ): { readonly id: number; readonly label: string } | undefined {
    const candidates = [...this.#simulation.platform.live].filter((component) =>
      label === undefined ? component.label !== ROOT_LABEL : component.label === label,
    );
    return pickByLabel(candidates, concrete);
  }

  #powerCut({ random }: ConcreteFault, torn: boolean): string | undefined {
    const { platform, disks } = this.#simulation;
    const texts = Array.from(disks.all, ([path, disk]) => {
      const users = [...platform.live].filter(({ host }) => host.opened.has(path));
      for (const { id } of users) platform.crash(id, 'the power of its disk was cut by the fault plan');
      const uncertain = disk.unsyncedSectors;
      const lost = disk.powerCut(random, torn);
      return `power cut: ${lost} of ${uncertain} unsynced sectors of ${path} lose something`;
    });
    return texts.length > 0 ? texts.join('; ') : undefined;
  }
}
