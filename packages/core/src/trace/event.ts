/**
 * The events of a trace, as entries of its ring. All numbers are little endian.
 *
 *     offset 0   u32  bytes of the entry, a multiple of 8
 *            4   u32  sequence number, modulo 2^32
 *            8   u8   hook, u8 flags (1: the call has failed), u16 bytes of content
 *            12  u32  number of the component at the other end, 0 for core and where there is none
 *            16  f64  time: microseconds of the monotonic clock of the machine
 *            24  u32  bytes of the message or the payload, where they are known
 *            28  u32  unused
 *            32  u32 × 4  trace id; all zero if the event belongs to no call
 *            48  u32 × 2  span: the call that the event belongs to
 *            56  u32 × 2  span of the call from which that call was made; zero if there is none
 *     64         content, as the policy has given it
 */
import { LIMITS } from '../limits.ts';

/** The places at which a component is traced, in the order of their numbers. */
export const TRACE_HOOKS = [
  'rpc_call',
  'rpc_returned',
  'rpc_dispatch',
  'rpc_reply',
  'signal_submit',
  'signal_received',
  'log_output',
  'checkpoint',
  'packet_submit',
  'packet_acknowledge',
] as const;
/** One of `TRACE_HOOKS`. */
export type TraceHook = (typeof TRACE_HOOKS)[number];

export const EVENT_HEAD_BYTES = 64;
/** Flag of a call that was answered with an error, or not at all. */
export const FAILED = 1;

/**
 * The calls that an event belongs to. A trace is everything that follows from one call that nothing
 * traced has led to; a span is one call of it.
 */
export interface TraceContext {
  /** Four words of 32 bits. */
  readonly trace: readonly [number, number, number, number];
  /** Two words: the component that has made the call, and a number. */
  readonly span: readonly [number, number];
  /** The span of the call from which this one was made. */
  readonly parent: readonly [number, number];
}

export const NO_SPAN = [0, 0] as const;

/** An event that was read. */
export interface TraceEvent {
  readonly sequence: number;
  readonly hook: TraceHook;
  readonly failed: boolean;
  /** The component at the other end; 0 for core, and where there is none. */
  readonly peer: number;
  readonly timeUs: number;
  readonly bytes: number;
  /** Missing if the event belongs to no call. */
  readonly context: TraceContext | undefined;
  readonly content: Uint8Array;
}

/** The length of an entry with so many bytes of content. */
export function entryBytes(contentBytes: number): number {
  return EVENT_HEAD_BYTES + ((contentBytes + 7) & ~7);
}

/**
 * The events in a private copy of entries. Reading ends at the first entry that cannot be right,
 * because whoever has written them is not trusted.
 */
export function readEntries(bytes: Uint8Array): TraceEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: TraceEvent[] = [];
  for (let at = 0; at + EVENT_HEAD_BYTES <= bytes.byteLength; ) {
    const length = view.getUint32(at, true);
    const contentBytes = view.getUint16(at + 10, true);
    const hook = TRACE_HOOKS[view.getUint8(at + 8)];
    if (hook === undefined || contentBytes > LIMITS.traceEventBytes) break;
    if (length !== entryBytes(contentBytes) || at + length > bytes.byteLength) break;
    const contentAt = at + EVENT_HEAD_BYTES;
    events.push({
      sequence: view.getUint32(at + 4, true),
      hook,
      failed: (view.getUint8(at + 9) & FAILED) !== 0,
      peer: view.getUint32(at + 12, true),
      timeUs: view.getFloat64(at + 16, true),
      bytes: view.getUint32(at + 24, true),
      context: contextAt(view, at + 32),
      content: bytes.slice(contentAt, contentAt + contentBytes),
    });
    at += length;
  }
  return events;
}

function contextAt(view: DataView, at: number): TraceContext | undefined {
  const word = (index: number): number => view.getUint32(at + 4 * index, true);
  if (word(4) === 0 && word(5) === 0) return undefined;
  return {
    trace: [word(0), word(1), word(2), word(3)],
    span: [word(4), word(5)],
    parent: [word(6), word(7)],
  };
}
