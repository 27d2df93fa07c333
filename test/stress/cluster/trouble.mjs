/**
 * What happens to the machines of a stress run: one after the other is killed, loses its power,
 * leaves, or stands still for shorter or longer than its lease, and the nats-server is started
 * again. The seed says what, and when; each is there again soon.
 */
import { randomFor } from '../plan/random.mjs';

const KINDS = [
  [4, 'kill'],
  [3, 'power'],
  [2, 'leave'],
  [2, 'pause'],
  [2, 'sleep'],
  [1, 'bus'],
];
const PAUSE_MS = [200, 2000];
/** Longer than the lease, the eighth that clocks may differ by included. */
const SLEEP_MS = [6000, 12_000];
const AWAY_MS = [0, 3000];
const BUS_AWAY_MS = [0, 1000];
const BETWEEN_MS = [1000, 7000];

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Trouble number `number`: `{ kind, machine, betweenMs, awayMs }`. */
export function troubleAt(seed, number, names) {
  const random = randomFor(seed, 'trouble', number);
  const kind = random.weighted(KINDS);
  const away = { pause: PAUSE_MS, sleep: SLEEP_MS, bus: BUS_AWAY_MS }[kind] ?? AWAY_MS;
  return {
    kind,
    machine: random.pick(names),
    betweenMs: random.between(...BETWEEN_MS),
    awayMs: random.between(...away),
  };
}

/** Troubles machines until it is told to stop. */
export class Trouble {
  /** How often what was done. */
  counts = {};
  #machines;
  #seed;
  #fail;
  #over = false;
  #running;
  #wake = () => {};

  constructor(machines, seed, fail) {
    this.#machines = machines;
    this.#seed = seed;
    this.#fail = fail;
  }

  begin() {
    this.#running = this.#run();
  }

  /** Begins nothing more; settles when everybody is there again. */
  async stop() {
    this.#over = true;
    this.#wake();
    await this.#running;
  }

  async #run() {
    const names = this.#machines.list.map(({ name }) => name);
    for (let number = 0; ; number++) {
      const trouble = troubleAt(this.#seed, number, names);
      await Promise.race([wait(trouble.betweenMs), new Promise((resolve) => (this.#wake = resolve))]);
      if (this.#over) return;
      this.counts[trouble.kind] = (this.counts[trouble.kind] ?? 0) + 1;
      try {
        await this.#make(trouble);
      } catch (error) {
        this.#fail(`trouble ${number} (${trouble.kind} of "${trouble.machine}"): ${error.message}`);
      }
    }
  }

  async #make({ kind, machine: name, awayMs }) {
    const machine = this.#machines.list.find((one) => one.name === name);
    switch (kind) {
      case 'kill':
        this.#expectNothing(await machine.end('SIGKILL'), name, 'killed');
        break;
      case 'leave':
        this.#expectNothing(await machine.end('SIGTERM'), name, 'told to end');
        break;
      case 'power':
        await machine.cutPower();
        break;
      case 'pause':
      case 'sleep':
        machine.hold(true);
        await wait(awayMs);
        return machine.hold(false);
      case 'bus':
        await this.#machines.killBus();
        await wait(awayMs);
        return this.#machines.startBus();
      default:
        throw new Error(`there is no trouble "${kind}"`);
    }
    await wait(awayMs);
    return machine.start();
  }

  #expectNothing(left, name, how) {
    if (left.length > 0) this.#fail(`${left.length} processes outlive the node "${name}", which was ${how}`);
  }
}
