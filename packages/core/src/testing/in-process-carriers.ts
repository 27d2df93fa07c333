/**
 * Carriers within one thread: a frame arrives in a later turn, as a copy, as it would from another
 * thread or over a wire.
 */
import type { Carrier, SharedMemory } from '../channel/carrier.ts';
import { SHARES_ALL, SHARES_NONE } from '../memory/shared-memory.ts';
import { laterTurn } from './real-time.ts';

/** Whether memory passes by reference, or everything is copied. */
export type InProcessCarrierKind = 'shared' | 'copying';

/** Counts the frames that have been sent and have not arrived yet. */
export interface FramesUnderWay {
  count: number;
}

interface End {
  readonly carrier: Carrier;
  handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  closed: () => void;
  /** The frames that have arrived and that nobody has taken yet. */
  readonly early: { frame: Uint8Array; memory: SharedMemory }[];
}

/** The two ends of a carrier. `underWay` is told of what has not arrived yet. */
export function inProcessCarriers(
  kind: InProcessCarrierKind,
  underWay: FramesUnderWay = { count: 0 },
): [Carrier, Carrier] {
  let closed = false;
  const later = (action: () => void): void => {
    underWay.count++;
    laterTurn(() => {
      underWay.count--;
      action();
    });
  };
  const make = (other: () => End): Carrier => ({
    sharing: kind === 'shared' ? SHARES_ALL : SHARES_NONE,
    send(frame, memory) {
      if (kind === 'copying' && memory.length > 0) throw new Error('memory on a carrier that shares none');
      const copy = frame.slice();
      later(() => {
        if (closed) return;
        const { handler, early } = other();
        if (handler) handler(copy, memory);
        else early.push({ frame: copy, memory });
      });
      return false;
    },
    receive(handler) {
      const end = own(other());
      end.handler = handler;
      for (const { frame, memory } of end.early.splice(0)) handler(frame, memory);
    },
    closed(handler) {
      own(other()).closed = handler;
    },
    close() {
      if (closed) return;
      closed = true;
      later(() => other().closed());
    },
  });
  const endOf = (other: () => End): End => ({
    carrier: make(other),
    handler: undefined,
    closed: () => {},
    early: [],
  });
  const first: End = endOf(() => second);
  const second: End = endOf(() => first);
  const own = (other: End): End => (other === first ? second : first);
  return [first.carrier, second.carrier];
}
