/**
 * Calls as spans of OpenTelemetry, in the JSON of OTLP/HTTP
 * (https://opentelemetry.io/docs/specs/otlp/). A call has two spans: that of the client, and that
 * of the server, which is its child. A call that the server makes meanwhile is a child of the
 * server's span.
 */
import { type CallSpan, spansOf, type TracedComponent } from '@ginit/core/trace';

const CLIENT = 3;
const SERVER = 2;
const STATUS_ERROR = 2;
const BATCH = 512;
const TIMEOUT_MS = 10_000;

/** What is sent to a collector: requests, and the calls that are in them. */
export interface OtlpExport {
  readonly bodies: readonly object[];
  readonly calls: readonly CallSpan[];
}

/** Makes requests of the calls that have ended; `all`: of the others, too. */
export function otlpExport(
  components: readonly TracedComponent[],
  place: { readonly epochUs: number; readonly system: string },
  all: boolean,
): OtlpExport {
  const spans = spansOf(components).calls;
  const servers = new Set(spans.filter(({ end }) => end === 'server').map(keyOf));
  const calls = spans.filter(({ endUs }) => all || endUs !== undefined);
  const bodies: object[] = [];
  for (let at = 0; at < calls.length; at += BATCH) {
    bodies.push(bodyOf(calls.slice(at, at + BATCH), servers, place.epochUs, place.system));
  }
  return { bodies, calls };
}

function bodyOf(
  calls: readonly CallSpan[],
  servers: ReadonlySet<string>,
  epochUs: number,
  system: string,
): object {
  const groups = new Map<TracedComponent, CallSpan[]>();
  for (const call of calls) groups.set(call.component, [...(groups.get(call.component) ?? []), call]);
  const resourceSpans = Array.from(groups, ([component, own]) => ({
    resource: {
      attributes: [
        attribute('service.name', component.label),
        attribute('service.namespace', system),
        ...(component.node === undefined ? [] : [attribute('host.name', component.node)]),
      ],
    },
    scopeSpans: [{ scope: { name: 'ginit' }, spans: own.map((call) => spanOf(call, servers, epochUs)) }],
  }));
  return { resourceSpans };
}

/** The span of a call's server, by the component that serves it. */
function keyOf({ component, span }: Pick<CallSpan, 'component' | 'span'>): string {
  return `${component.component} ${span}`;
}

/** The server's span has the id of the call with another first bit: clients number from 1 up. */
function serverId(span: string): string {
  const first = Number.parseInt(span.slice(0, 2), 16) ^ 0x80;
  return first.toString(16).padStart(2, '0') + span.slice(2);
}

function spanOf(call: CallSpan, servers: ReadonlySet<string>, epochUs: number): object {
  const {
    component,
    end,
    trace,
    span,
    parent,
    name,
    content,
    beginUs,
    endUs = beginUs,
    failed,
    bytes,
  } = call;
  const [id, above] =
    end === 'server'
      ? [serverId(span), span]
      : [
          span,
          parent !== undefined && servers.has(keyOf({ component, span: parent })) ? serverId(parent) : parent,
        ];
  return {
    traceId: trace,
    spanId: id,
    ...(above === undefined ? {} : { parentSpanId: above }),
    name,
    kind: end === 'server' ? SERVER : CLIENT,
    startTimeUnixNano: nanoseconds(epochUs + beginUs),
    endTimeUnixNano: nanoseconds(epochUs + endUs),
    attributes: [
      attribute('ginit.content', content),
      { key: 'ginit.bytes', value: { intValue: String(bytes) } },
    ],
    status: failed ? { code: STATUS_ERROR } : {},
  };
}

function attribute(key: string, stringValue: string): object {
  return { key, value: { stringValue } };
}

function nanoseconds(us: number): string {
  return (BigInt(Math.floor(us)) * 1000n + BigInt(Math.floor((us % 1) * 1000))).toString();
}

/** Sends spans to a collector; the result says why that has failed. */
export async function sendSpans(url: URL, body: object): Promise<string | undefined> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await answer.body?.cancel();
    return answer.ok ? undefined : `it answers ${answer.status}`;
  } catch (error) {
    const cause: unknown = error instanceof Error ? error.cause : undefined;
    const reason = cause instanceof Error ? cause : error;
    return reason instanceof Error ? reason.message : String(reason);
  }
}
