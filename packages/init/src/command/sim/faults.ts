/** Brings about the faults of a plan, each before a task that the seed has picked. */
import type { Random, Simulation } from '@ginit/core/platform/sim/index';
import { ROOT_LABEL } from '@ginit/core/supervisor';
import { befallDisk } from './disk-faults.ts';
import type { FaultPlan, PlannedFault } from './fault-plan.ts';
import { exhaustHeap, refuseQuota } from './memory-faults.ts';

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
  /** Faults that wait for an occasion. */
  #waiting = 0;

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

  /** Faults that are still to come. */
  get left(): number {
    return this.#due.length + this.#waiting;
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
        return this.#crash(fault.component, fault.process);
      case 'stall':
        return this.#stall(fault.component, fault.ms);
      case 'clock-jump':
        this.#simulation.platform.clockOffMs += fault.byS * 1000;
        this.#tell(`the wall clock jumps by ${fault.byS} s`);
        return false;
      case 'power-cut':
        return this.#powerCut(fault.torn);
      case 'io-error':
      case 'misdirect':
      case 'corrupt': {
        const host = { tell: this.#tell, done: () => void this.#waiting-- };
        return this.#toldThatWaits(befallDisk(fault, this.#simulation, this.#random, host));
      }
      case 'out-of-memory': {
        const victim = this.#victim(fault.component);
        return this.#told(victim && exhaustHeap(this.#simulation, victim));
      }
      case 'out-of-quota': {
        const victim = this.#victim(fault.component);
        const taken = (): void => void this.#waiting--;
        return this.#toldThatWaits(victim && refuseQuota(this.#simulation, victim, fault.of, taken));
      }
    }
  }

  #told(text: string | undefined): boolean {
    if (text !== undefined) this.#tell(text);
    return text !== undefined;
  }

  /** It has struck when there has been an occasion for it. */
  #toldThatWaits(text: string | undefined): boolean {
    if (text !== undefined) this.#waiting++;
    return this.#told(text);
  }

  #crash(label: string | undefined, process: boolean): boolean {
    const { platform } = this.#simulation;
    const victim = this.#victim(label);
    if (!victim) return false;
    this.#tell(`[${victim.label}] crashes${process ? ' with its process' : ''}`);
    if (process) platform.crashProcess(victim.id, 'its process was ended by the fault plan');
    else platform.crash(victim.id, 'crashed by the fault plan');
    return true;
  }

  #stall(label: string | undefined, ms: number): boolean {
    const victim = this.#victim(label);
    if (!victim) return false;
    this.#tell(`[${victim.label}] stalls for ${ms} ms`);
    this.#simulation.scheduler.hold(victim.id, ms * 1000);
    return true;
  }

  #victim(label: string | undefined): { readonly id: number; readonly label: string } | undefined {
    const candidates = [...this.#simulation.platform.live].filter((component) =>
      label === undefined ? component.label !== ROOT_LABEL : component.label === label,
    );
    return candidates.length > 0 ? this.#random.pick(candidates) : undefined;
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
