/** The events of a running trace, as they come from the system. */
import { anyOf, integer, optional, record, text, u53 } from '@ginit/core';
import {
  type CallSpan,
  readEntries,
  spanText,
  type TracedComponent,
  type TraceEvent,
} from '@ginit/core/trace';

const WORDS = 4096;
const subjectItem = record({
  subject: record({ component: u53, label: text(WORDS), node: optional(text(WORDS)) }),
});
const entriesItem = record({ component: u53, entries: text(2 ** 24), lost: integer() });
const problemItem = record({ component: u53, problem: text(WORDS) });
const traceItem = anyOf<
  ReturnType<typeof subjectItem> | ReturnType<typeof entriesItem> | ReturnType<typeof problemItem>
>('an item of a trace', subjectItem, entriesItem, problemItem);

/** A component with what has come of it. */
interface Received {
  readonly component: number;
  readonly label: string;
  readonly node: string | undefined;
  events: TraceEvent[];
  lost: number;
}

/** Something that has come. */
export type TraceNews =
  | { readonly label: string; readonly events: readonly TraceEvent[]; readonly lost: number }
  | { readonly label: string; readonly problem: string };

/** Everything that has come, up to a bound. */
export class ReceivedTrace {
  readonly #eventsMax: number;
  readonly #components = new Map<number, Received>();
  #events = 0;

  constructor(eventsMax: number) {
    this.#eventsMax = eventsMax;
  }

  /** Takes an item; throws `ShapeError` if it is none. */
  take(item: unknown): TraceNews | undefined {
    const taken = traceItem(item, 'trace');
    if ('subject' in taken) {
      const { component, label, node } = taken.subject;
      this.#components.set(component, { component, label, node, events: [], lost: 0 });
      return undefined;
    }
    const received = this.#components.get(taken.component);
    if (!received) return undefined;
    const { label } = received;
    if ('problem' in taken) return { label, problem: taken.problem };
    const events = readEntries(Buffer.from(taken.entries, 'base64'));
    return { label, events, lost: taken.lost };
  }

  /** Keeps what has come for later; what is over the bound counts as lost. */
  keep(label: string, events: readonly TraceEvent[], lost: number): void {
    const received = this.#newest(label);
    if (!received) return;
    const kept = events.slice(0, Math.max(0, this.#eventsMax - this.#events));
    received.events.push(...kept);
    received.lost += lost + events.length - kept.length;
    this.#events += kept.length;
  }

  /** What was kept. */
  get components(): readonly TracedComponent[] {
    return [...this.#components.values()];
  }

  /** Forgets these calls, and what is no call. */
  forget(calls: readonly CallSpan[]): void {
    const gone = new Set(calls.map(({ component, end, span }) => `${component.component} ${end} ${span}`));
    this.#events = 0;
    for (const one of this.#components.values()) {
      one.events = one.events.filter(({ hook, context }) => {
        if (!context || !hook.startsWith('rpc_')) return false;
        const end = hook === 'rpc_call' || hook === 'rpc_returned' ? 'client' : 'server';
        return !gone.has(`${one.component} ${end} ${spanText(context)}`);
      });
      this.#events += one.events.length;
    }
  }

  /** The label of a component by its number; the number itself if it is not traced. */
  nameOf(component: number): string {
    if (component === 0) return 'core';
    return this.#components.get(component)?.label ?? `component ${component}`;
  }

  #newest(label: string): Received | undefined {
    return [...this.#components.values()].findLast((one) => one.label === label);
  }
}
