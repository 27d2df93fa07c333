/**
 * Places: the CPUs that a contender may use. All contenders of a row get the same, by `taskset`.
 *
 * | place   | process    | the two measured threads        |
 * |---------|------------|---------------------------------|
 * | `one`   | one CPU    | on that CPU                     |
 * | `two`   | two CPUs   | each on a CPU of its own        |
 * | `free`  | two CPUs   | where the kernel puts them      |
 *
 * `free` is there because the kernel likes to put two threads that wake each other on one CPU: a
 * sleeping peer then costs no wake-up of another CPU, and a comparison on two CPUs alone would
 * flatter whoever spins.
 */
import { allowedCpus, hasCommand } from './environment.mjs';

/**
 * A set of CPUs with a name for people. `split`: each of the two measured threads gets one of them.
 */
export class Place {
  constructor(name, cpus, split) {
    this.name = name;
    this.cpus = cpus;
    this.split = split;
  }

  /** The command that runs `command` here. */
  wrap(command) {
    return this.cpus === undefined ? command : ['taskset', '-c', this.cpus.join(','), ...command];
  }

  /** The facts that the measured threads need to be here: their CPUs, -1 for any. */
  get threadCpus() {
    if (!this.split || this.cpus === undefined) return { clientCpu: -1, serverCpu: -1 };
    const [clientCpu, serverCpu] = this.cpus;
    return { clientCpu, serverCpu };
  }
}

/** The places of this machine; `two` and `free` are `undefined` where there is only one CPU. */
export function findPlaces() {
  const cpus = allowedCpus();
  const pinned = hasCommand('taskset');
  // The last ones: the first CPU of many machines has more interrupts to serve.
  const last = pinned ? cpus.slice(-2) : undefined;
  const several = cpus.length > 1;
  return {
    pinned,
    one: new Place('one CPU', last?.slice(-1), false),
    two: several ? new Place('two CPUs', last, true) : undefined,
    free: several ? new Place('any of two', last, false) : undefined,
  };
}
