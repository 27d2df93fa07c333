/** The Machine service of the supervisor: virtual machines that people act on from outside. */
import { Condition } from '../async/index.ts';
import type { Implementation } from '../interface/interface.ts';
import { LIMITS } from '../limits.ts';
import type {
  Machine,
  MachineAction,
  MachineAnswer,
  MachineMetrics,
  MachineState,
  MachineWish,
} from '../session/machine.ts';
import type { RootRequest } from '../session/parent.ts';

const GONE: MachineAnswer = { problem: 'the machine is gone', content: undefined, metrics: undefined };
const TOO_MUCH: MachineAnswer = {
  problem: 'too much is wanted of it already',
  content: undefined,
  metrics: undefined,
};
const NOT_STARTED: MachineState = { state: 'off', about: 'it is not there yet' };

/** A machine of a component. */
export interface KeptMachine {
  /** The whole label of its session. */
  readonly label: string;
  readonly state: MachineState;
  /** Wants something of it; settles with what became of that. */
  ask(action: MachineAction, words: readonly string[]): Promise<MachineAnswer>;
  /** What it has done; nothing if it does not say. */
  metrics(): Promise<MachineMetrics | undefined>;
}

/** The machines of a system. */
export class KeptMachines {
  readonly #open = new Map<object, ServedMachine>();

  /** A session for one more machine. */
  open(request: Pick<RootRequest, 'label'>): Implementation<typeof Machine> {
    const machine = new ServedMachine(request.label, () => void this.#open.delete(request));
    this.#open.set(request, machine);
    return machine.session;
  }

  /** The machines, in the order of their opening. */
  get all(): readonly KeptMachine[] {
    return [...this.#open.values()];
  }
}

class ServedMachine implements KeptMachine {
  readonly label: string;
  readonly session: Implementation<typeof Machine>;
  #state = NOT_STARTED;
  #lastNumber = 0;
  #isGone = false;
  /** Wishes that the machine has not heard of. */
  readonly #wishes: MachineWish[] = [];
  /** Those who wait for an answer. */
  readonly #waiting = new Map<number, (answer: MachineAnswer) => void>();
  readonly #wished = new Condition();
  /** Those who ask at the same time get the same: a machine that does not answer is asked once. */
  #measured: Promise<MachineMetrics | undefined> | undefined;

  constructor(label: string, closed: () => void) {
    this.label = label;
    this.session = {
      tell: (state) => {
        this.#state = state;
      },
      wish: () => this.#nextWish(),
      answer: (number, answer) => this.#answer(number, answer),
      [Symbol.asyncDispose]: async () => {
        this.#isGone = true;
        closed();
        for (const number of this.#waiting.keys()) this.#answer(number, GONE);
        this.#wished.wakeAll();
      },
    };
  }

  get state(): MachineState {
    return this.#state;
  }

  ask(action: MachineAction, words: readonly string[]): Promise<MachineAnswer> {
    return this.#wish(action, words);
  }

  metrics(): Promise<MachineMetrics | undefined> {
    this.#measured ??= this.#wish('metrics', [])
      .then(({ metrics }) => metrics)
      .finally(() => (this.#measured = undefined));
    return this.#measured;
  }

  #wish(action: MachineWish['action'], words: readonly string[]): Promise<MachineAnswer> {
    if (this.#isGone) return Promise.resolve(GONE);
    if (this.#waiting.size >= LIMITS.machineWishes) return Promise.resolve(TOO_MUCH);
    const number = ++this.#lastNumber;
    return new Promise((resolve) => {
      this.#waiting.set(number, resolve);
      this.#wishes.push({ number, action, words: [...words] });
      this.#wished.wakeOne();
    });
  }

  async #nextWish(): Promise<MachineWish | undefined> {
    while (!this.#isGone) {
      const wish = this.#wishes.shift();
      if (wish) return wish;
      await this.#wished.wait();
    }
    return undefined;
  }

  #answer(number: number, answer: MachineAnswer): void {
    const resolve = this.#waiting.get(number);
    this.#waiting.delete(number);
    resolve?.(answer);
  }
}
