/**
 * The remarks that a replay writes between the lines of its schedule, each marked by an exclamation
 * mark: faults, ends of components, broken properties with the time since when; and at the end
 * which components are alive, and which wait for which.
 */
import type { Simulation } from '../world/simulation.ts';
import { describeCall } from '../checks/checks.ts';

/** The annotations of one run. */
export class Annotations {
  readonly #simulation: Simulation;
  readonly #write: (line: string) => void;

  constructor(simulation: Simulation, write: (line: string) => void) {
    this.#simulation = simulation;
    this.#write = write;
  }

  /** Writes a remark about something that has happened now. */
  now(text: string): void {
    const seconds = (this.#simulation.scheduler.nowUs / 1e6).toFixed(6);
    this.#write(`${seconds} ! ${text}`);
  }

  /** Writes the final remarks about the system as it was left, before it is asked to stop. */
  end(): void {
    const { platform, calls } = this.#simulation;
    const labels = Array.from(platform.live, ({ label }) => `[${label}]`);
    this.now(`alive at the end: ${labels.length > 0 ? labels.join(', ') : 'nobody'}`);
    const open = calls.before(Number.POSITIVE_INFINITY);
    if (open.length === 0) this.now('no call is open at the end');
    for (const call of open) this.now(`at the end ${describeCall(this.#simulation, call)}`);
  }
}
