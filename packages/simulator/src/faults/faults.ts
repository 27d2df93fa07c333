/** Brings about the faults of a run, each before the task that its random stream has picked. */
import type { SimulatedComponent } from '../world/simulated-component.ts';
import type { Simulation } from '../world/simulation.ts';
import { ROOT_LABEL } from '@ginit/core/supervisor';
import type { ChildAction, Resources } from '@ginit/core/system';
import { cutOff, troubleBus } from './bus-faults.ts';
import { type ConcreteFault, concreteFaults, pickByLabel, type StruckFault } from './concrete-faults.ts';
import { befallDisk, type DiskFault } from './disk-faults.ts';
import type { FaultPlan } from './fault-plan.ts';
import { turnHostile } from './hostile-faults.ts';
import { exhaustHeap, refuseQuota } from './memory-faults.ts';

/** The acts from outside that are no faults of the world. */
export interface OutsideActs {
  /** Gives the system the config with this index. */
  reconfigure(index: number): void;
  /** Restarts or kills a component. */
  act(action: ChildAction, label: string): void;
}

/** The faults of one run. */
export class Faults {
  readonly #simulation: Simulation;
  readonly #tell: (text: string) => void;
  readonly #outside: OutsideActs;
  /** The faults that are to come, the latest first. */
  readonly #due: ConcreteFault[];
  /** The faults that found a victim, in their order. */
  readonly struck: StruckFault[] = [];
  /** The number of times that each kind of fault has happened. */
  readonly happened = new Map<string, number>();
  /** The number of faults that wait for an occasion. */
  #waiting = 0;

  /** Whether the plan makes a component hostile. */
  readonly hostility: boolean;

  /** `only` has the numbers of the faults that may happen; without it all may. */
  constructor(
    plan: FaultPlan,
    only: readonly number[] | undefined,
    simulation: Simulation,
    tell: (text: string) => void,
    outside: OutsideActs,
  ) {
    this.#simulation = simulation;
    this.#tell = tell;
    this.#outside = outside;
    this.#due = concreteFaults(plan, simulation.random, only).toReversed();
    this.hostility = this.#due.some(({ fault }) => fault.kind === 'hostile');
  }

  /** The number of faults that are still to come. */
  get left(): number {
    return this.#due.length + this.#waiting;
  }

  /** Brings about the faults that are due after `tasks` tasks. True if any has happened. */
  strike(tasks: number): boolean {
    let struck = false;
    for (let next = this.#due.at(-1); next && next.afterTasks <= tasks; next = this.#due.at(-1)) {
      this.#due.pop();
      const text = this.#perform(next);
      if (text === undefined) continue;
      struck = true;
      if (next.fault.kind !== 'hostile') this.#count(next.fault.kind);
      this.struck.push({ number: next.number, afterTasks: tasks, text });
      this.#tell(`fault ${next.number}: ${text}`);
    }
    return struck;
  }

  #count(kind: string): void {
    this.happened.set(kind, (this.happened.get(kind) ?? 0) + 1);
  }

  /** Brings about one fault. The result describes it; `undefined` if there was no victim. */
  #perform(concrete: ConcreteFault): string | undefined {
    const { fault } = concrete;
    switch (fault.kind) {
      case 'crash':
        return this.#crash(concrete, fault.component, fault.process);
      case 'stall':
        return this.#stall(concrete, fault.component, fault.ms);
      case 'silence':
        return this.#silence(concrete, fault.component, fault.ms);
      case 'yield':
        return this.#yield(concrete, fault);
      case 'clock-jump':
        this.#simulation.platform.clockOffMs += fault.byS * 1000;
        return `the wall clock jumps by ${fault.byS} s`;
      case 'power-cut':
        return this.#powerCut(concrete, fault.torn);
      case 'io-error':
      case 'misdirect':
      case 'corrupt':
        return this.#disk(concrete, fault);
      case 'bus-trouble':
        return this.#waits(troubleBus(fault, this.#simulation, () => void this.#waiting--));
      case 'partition': {
        const victim = this.#victim(concrete, fault.component);
        const over = (): void => void this.#waiting--;
        return this.#waits(victim && cutOff(this.#simulation, victim, fault.ms, over));
      }
      case 'hostile': {
        const label = fault.component ?? this.#victim(concrete, undefined)?.label;
        if (label === undefined) return undefined;
        const { random, number } = concrete;
        // The run does not wait for an occasion for this fault: the end of the fault phase must not
        // depend on it.
        return turnHostile(fault, label, this.#simulation, random, (text, kind) => {
          this.#count(kind);
          this.#tell(`fault ${number}: ${text}`);
        });
      }
      case 'out-of-memory': {
        const victim = this.#victim(concrete, fault.component);
        return victim && exhaustHeap(this.#simulation, victim);
      }
      case 'out-of-quota': {
        const victim = this.#victim(concrete, fault.component);
        const taken = (): void => void this.#waiting--;
        return this.#waits(victim && refuseQuota(this.#simulation, victim, fault.of, taken));
      }
      case 'config':
        this.#outside.reconfigure(fault.index);
        return `the system gets the config ${fault.name}`;
      case 'restart':
      case 'kill': {
        const victim = this.#victim(concrete, fault.component);
        if (victim) this.#outside.act(fault.kind, victim.label);
        return victim && `[${victim.label}] is to be ${fault.kind === 'kill' ? 'killed' : 'restarted'}`;
      }
    }
  }

  #disk({ number, random }: ConcreteFault, fault: DiskFault): string | undefined {
    return this.#waits(
      befallDisk(fault, this.#simulation, random, {
        tell: (text) => this.#tell(`fault ${number}: ${text}`),
        done: () => void this.#waiting--,
      }),
    );
  }

  /** Counts a fault as over only when it has found an occasion. */
  #waits(text: string | undefined): string | undefined {
    if (text !== undefined) this.#waiting++;
    return text;
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

  #silence(concrete: ConcreteFault, label: string | undefined, ms: number): string | undefined {
    const victim = this.#victim(concrete, label);
    victim?.planned.silence(ms * 1000);
    return victim && `[${victim.label}] answers no heartbeat for ${ms} ms`;
  }

  #yield(
    concrete: ConcreteFault,
    { component, ram, caps }: { readonly component: string | undefined } & Resources,
  ): string | undefined {
    const victim = this.#victim(concrete, component, ({ planned }) => planned.listens);
    victim?.planned.askToYield({ ram, caps });
    return victim && `[${victim.label}] is asked to give back ${ram} bytes and ${caps} caps`;
  }

  /** One of those with a label, or of all but init; `fits` says which can be struck. */
  #victim(
    concrete: ConcreteFault,
    label: string | undefined,
    fits: (component: SimulatedComponent) => boolean = () => true,
  ): SimulatedComponent | undefined {
    const candidates = [...this.#simulation.platform.live].filter((component) =>
      label === undefined ? component.label !== ROOT_LABEL : component.label === label,
    );
    return pickByLabel(candidates.filter(fits), concrete);
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
