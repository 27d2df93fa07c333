/**
 * What was traced, put together: calls with their answers, at either end, and the clocks of other
 * machines set by them. Events come from components that are not trusted: they may be incomplete,
 * contradict each other, or lie about times.
 */
import type { TraceContext, TraceEvent } from './event.ts';

/** A traced component, with all of its events. */
export interface TracedComponent {
  /** The number by which events of others name it. */
  readonly component: number;
  readonly label: string;
  /** The machine that it runs on, if that is another one than core's. */
  readonly node?: string | undefined;
  readonly events: readonly TraceEvent[];
  readonly lost: number;
}

/** One end of a call: at the client from call to return, at the server from dispatch to reply. */
export interface CallSpan {
  readonly component: TracedComponent;
  readonly end: 'client' | 'server';
  /** What the policy says of it, up to the arguments. */
  readonly name: string;
  readonly content: string;
  /** The call, the same at both ends; and the one that it was made from, if any. */
  readonly span: string;
  readonly parent: string | undefined;
  readonly trace: string;
  readonly beginUs: number;
  /** Missing if its end was not seen. */
  readonly endUs: number | undefined;
  readonly failed: boolean;
  /** Bytes of the call, and of the answer. */
  readonly bytes: number;
}

/** Everything that was traced. */
export interface Spans {
  readonly calls: readonly CallSpan[];
  /** Microseconds that were added to the times of each other machine. */
  readonly clocks: ReadonlyMap<string, number>;
}

const decoder = new TextDecoder();
/** A span as text. */
export function spanText({ span }: TraceContext): string {
  return hex(span);
}

const hex = (words: readonly number[]): string =>
  words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');

/** Puts the events of several components together. */
export function spansOf(components: readonly TracedComponent[]): Spans {
  const raw = components.flatMap(callsOf);
  const clocks = clocksOf(raw);
  const calls = raw.map((call) => shifted(call, clocks.get(call.component.node ?? '') ?? 0));
  clocks.delete('');
  return { calls, clocks };
}

function shifted(call: CallSpan, us: number): CallSpan {
  const endUs = call.endUs === undefined ? undefined : call.endUs + us;
  return us === 0 ? call : { ...call, beginUs: call.beginUs + us, endUs };
}

const BEGINS = { rpc_call: 'client', rpc_dispatch: 'server' } as const;
const ENDS = { rpc_returned: 'client', rpc_reply: 'server' } as const;

function callsOf(component: TracedComponent): CallSpan[] {
  const calls: CallSpan[] = [];
  /** The calls that have not ended, by end and span. */
  const open = new Map<string, number>();
  for (const event of component.events) {
    const { context } = event;
    if (!context) continue;
    const span = hex(context.span);
    if (event.hook === 'rpc_call' || event.hook === 'rpc_dispatch') {
      const end = BEGINS[event.hook];
      const content = decoder.decode(event.content);
      open.set(`${end} ${span}`, calls.length);
      calls.push({
        component,
        end,
        name: nameIn(content),
        content,
        span,
        parent: context.parent[0] === 0 && context.parent[1] === 0 ? undefined : hex(context.parent),
        trace: hex(context.trace),
        beginUs: event.timeUs,
        endUs: undefined,
        failed: false,
        bytes: event.bytes,
      });
    } else if (event.hook === 'rpc_returned' || event.hook === 'rpc_reply') {
      const key = `${ENDS[event.hook]} ${span}`;
      const index = open.get(key);
      const call = index === undefined ? undefined : calls[index];
      if (index === undefined || !call) continue;
      open.delete(key);
      const endUs = Math.max(call.beginUs, event.timeUs);
      calls[index] = { ...call, endUs, failed: event.failed, bytes: call.bytes + event.bytes };
    }
  }
  return calls;
}

/** `Block.info` of `Block.info(1, 2)`. */
function nameIn(content: string): string {
  const at = content.indexOf('(');
  return at < 0 ? content : content.slice(0, at);
}

/** The bounds within which the clock of a machine must be shifted, and how many calls say so. */
interface Bounds {
  least: number;
  most: number;
}

/**
 * The shift of each machine's clock against core's. A call cannot arrive before it is made, and its
 * answer cannot arrive before it is sent, so each call between two machines says in which range the
 * difference of their clocks is; the middle of what all calls leave is taken. A machine that has
 * calls with core's machine only over a third one is reached over that.
 */
function clocksOf(calls: readonly CallSpan[]): Map<string, number> {
  const clients = new Map<string, CallSpan>();
  for (const call of calls) if (call.end === 'client') clients.set(call.span, call);
  const between = new Map<string, Map<string, Bounds>>();
  for (const server of calls) {
    const client = server.end === 'server' ? clients.get(server.span) : undefined;
    const from = client?.component.node ?? '';
    const to = server.component.node ?? '';
    if (!client || from === to) continue;
    // What is added to the server's times lies between these.
    const least = client.beginUs - server.beginUs;
    const most =
      client.endUs === undefined || server.endUs === undefined
        ? Number.POSITIVE_INFINITY
        : client.endUs - server.endUs;
    narrow(between, from, to, least, most);
    narrow(between, to, from, -most, -least);
  }
  const clocks = new Map([['', 0]]);
  for (const from of ['', ...between.keys()]) {
    const base = clocks.get(from);
    if (base === undefined) continue;
    for (const [to, bounds] of between.get(from) ?? []) {
      if (!clocks.has(to)) clocks.set(to, base + middleOf(bounds));
    }
  }
  return clocks;
}

function narrow(
  between: Map<string, Map<string, Bounds>>,
  from: string,
  to: string,
  least: number,
  most: number,
): void {
  const row = between.get(from) ?? new Map<string, Bounds>();
  between.set(from, row);
  const bounds = row.get(to) ?? { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY };
  bounds.least = Math.max(bounds.least, least);
  bounds.most = Math.min(bounds.most, most);
  row.set(to, bounds);
}

/** If calls contradict each other, the order of calls counts more than that of answers. */
function middleOf({ least, most }: Bounds): number {
  if (!Number.isFinite(most) || most < least) return least;
  return Number.isFinite(least) ? (least + most) / 2 : most;
}
