/**
 * Traces as Chrome's trace events, which Perfetto and chrome://tracing open (the Trace Event Format
 * of the Chromium project). Each component is a process there. Its calls are slices on lanes, which
 * are threads there: slices of one lane lie within each other or beside each other, because the
 * viewers demand that. An arrow, a flow, leads from each call to its dispatch.
 */
import type { TraceEvent } from './event.ts';
import { type CallSpan, spansOf, type TracedComponent } from './spans.ts';

export type { TracedComponent } from './spans.ts';

/** One event of the format. */
export type ChromeEvent = Readonly<Record<string, unknown>>;

/** The whole of a trace, to be written as JSON. */
export interface ChromeTrace {
  readonly displayTimeUnit: 'ns';
  readonly traceEvents: readonly ChromeEvent[];
  readonly otherData: Readonly<Record<string, string>>;
}

/** The thread that stands for what is no call. */
const EVENTS_LANE = 0;

const decoder = new TextDecoder();

/** The trace of some components. */
export function chromeTrace(components: readonly TracedComponent[]): ChromeTrace {
  const { calls, clocks } = spansOf(components);
  const last = components
    .flatMap(({ events }) => events)
    .reduce((latest, { timeUs }) => Math.max(latest, timeUs), 0);
  const traceEvents: ChromeEvent[] = [];
  for (const component of components) {
    traceEvents.push(...headOf(component));
    const shift = clocks.get(component.node ?? '') ?? 0;
    for (const event of component.events) {
      if (!event.hook.startsWith('rpc_')) traceEvents.push(instant(component, event, shift));
    }
  }
  const placed = components.flatMap((component) =>
    lanesOf(
      calls.filter((call) => call.component === component),
      last,
    ),
  );
  traceEvents.push(...placed.map(slice), ...flows(placed));
  const otherData = Object.fromEntries([
    ...Array.from(clocks, ([node, us]) => [`clock of ${node}`, `${us.toFixed(3)} us added`] as const),
    ...components
      .filter(({ lost }) => lost > 0)
      .map(({ label, lost }) => [`lost of ${label}`, String(lost)] as const),
  ]);
  return { displayTimeUnit: 'ns', traceEvents, otherData };
}

function headOf({ component, label }: TracedComponent): ChromeEvent[] {
  const meta = { ph: 'M', pid: component };
  return [
    { ...meta, name: 'process_name', args: { name: label } },
    { ...meta, name: 'thread_name', tid: EVENTS_LANE, args: { name: 'events' } },
  ];
}

function instant({ component }: TracedComponent, event: TraceEvent, shift: number): ChromeEvent {
  const { hook, timeUs, content, peer, bytes } = event;
  const name = decoder.decode(content);
  const args = { peer, bytes };
  return { ph: 'i', s: 't', cat: hook, name, pid: component, tid: EVENTS_LANE, ts: timeUs + shift, args };
}

/** A call in a lane. */
interface Placed {
  readonly call: CallSpan;
  readonly lane: number;
  readonly beginUs: number;
  readonly endUs: number;
}

/** Places the calls of one component; those without an end last until `lastUs`. */
function lanesOf(calls: readonly CallSpan[], lastUs: number): Placed[] {
  const ordered = calls
    .map((call) => ({ call, beginUs: call.beginUs, endUs: call.endUs ?? Math.max(lastUs, call.beginUs) }))
    .toSorted((one, other) => one.beginUs - other.beginUs || other.endUs - one.endUs);
  /** For each lane the ends of the slices that are open at the present time, the innermost last. */
  const lanes: number[][] = [];
  return ordered.map(({ call, beginUs, endUs }) => {
    for (const open of lanes) while ((open.at(-1) ?? Number.POSITIVE_INFINITY) <= beginUs) open.pop();
    let lane = lanes.findIndex((open) => endUs <= (open.at(-1) ?? Number.POSITIVE_INFINITY));
    if (lane < 0) lane = lanes.push([]) - 1;
    lanes[lane]?.push(endUs);
    return { call, beginUs, endUs, lane: lane + 1 };
  });
}

function slice({ call, lane, beginUs, endUs }: Placed): ChromeEvent {
  const { component, name, content, end, span, trace, failed, bytes } = call;
  return {
    ph: 'X',
    cat: end,
    name,
    pid: component.component,
    tid: lane,
    ts: beginUs,
    dur: endUs - beginUs,
    args: { content, span, trace, failed, bytes, ...(call.endUs === undefined ? { unfinished: true } : {}) },
  };
}

/** Arrows from the calls to their dispatches, where both ends were traced. */
function flows(placed: readonly Placed[]): ChromeEvent[] {
  const clients = new Map<string, Placed>();
  for (const one of placed) if (one.call.end === 'client') clients.set(one.call.span, one);
  return placed.flatMap((server, index) => {
    const client = server.call.end === 'server' ? clients.get(server.call.span) : undefined;
    // Who says that a call came before it was made has lied, and viewers do not take such arrows.
    if (!client || server.beginUs < client.beginUs) return [];
    const flow = { cat: 'call', name: 'call', id: index + 1 };
    const from = { pid: client.call.component.component, tid: client.lane, ts: client.beginUs };
    const to = { pid: server.call.component.component, tid: server.lane, ts: server.beginUs };
    return [
      { ph: 's', ...flow, ...from },
      { ph: 'f', bp: 'e', ...flow, ...to },
    ];
  });
}
