/** Brings about the faults of a plan, each before a task that the seed has picked. */
import type { Random, Simulation } from '@ginit/core/platform/sim/index';
import { ROOT_LABEL } from '@ginit/core/supervisor';
import type { FaultPlan, PlannedFault } from './fault-plan.ts';

interface DueFault {
  readonly afterTasks: number;
  readonly fault: PlannedFault;
}

/** The faults of one run. */
export class Faults {
  readonly #simulation: Simulation;
  readonly #random: Random;
  readonly #tell: (text: string) => void;
  /** The latest first. */
  readonly #due: DueFault[];

  constructor(plan: FaultPlan, simulation: Simulation, tell: (text: string) => void) {
    this.#simulation = simulation;
    this.#random = simulation.random.stream('faults');
    this.#tell = tell;
    this.#due = plan
      .flatMap((fault) =>
        Array.from({ length: fault.count }, () => ({ afterTasks: this.#random.below(fault.within), fault })),
      )
      .toSorted((a, b) => b.afterTasks - a.afterTasks);
  }

  /** So many tasks have run: what is due happens. True if something has. */
  strike(tasks: number): boolean {
    let struck = false;
    for (let next = this.#due.at(-1); next && next.afterTasks <= tasks; next = this.#due.at(-1)) {
      this.#due.pop();
      struck = this.#perform(next.fault) || struck;
    }
    return struck;
  }

  #perform(fault: PlannedFault): boolean {
    switch (fault.kind) {
      case 'crash':
        return this.#crash(fault.component);
      case 'power-cut':
        return this.#powerCut(fault.torn);
    }
  }

  #crash(label: string | undefined): boolean {
    const { platform } = this.#simulation;
    const candidates = [...platform.live].filter((component) =>
      label === undefined ? component.label !== ROOT_LABEL : component.label === label,
    );
    if (candidates.length === 0) return false;
    const victim = this.#random.pick(candidates);
    this.#tell(`[${victim.label}] crashes`);
    platform.crash(victim.id, 'crashed by the fault plan');
    return true;
  }

  #powerCut(torn: boolean): boolean {
    const { platform, disks } = this.#simulation;
    for (const [path, disk] of disks.all) {
      const users = [...platform.live].filter(({ host }) => host.opened.has(path));
      for (const { id } of users) platform.crash(id, 'the power of its disk was cut by the fault plan');
      const uncertain = disk.unsyncedSectors;
      const lost = disk.powerCut(this.#random, torn);
      this.#tell(`power cut: ${lost} of ${uncertain} unsynced sectors of ${path} lose something`);
    }
    return disks.all.size > 0;
  }
}
