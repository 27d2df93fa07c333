/**
 * Input: what somebody does with keyboard and mouse (reference: Genode's Input session). The server
 * keeps the events that the client has not fetched, as many as there is room for, and wakes the
 * client's handler when there are some. `flush` puts them at the front of a dataspace that both
 * share, and says how many there are; they stay there until the next `flush`.
 *
 * The session argument `events` is the number of events that there is room for. The client pays for
 * the queue with the session, and for the dataspace beyond it. When the queue is full, further
 * movements are added to the last one, and further keys are lost; but each key that was pressed for
 * the client is released for it, too.
 */
import { signal } from '../../capability/capability.ts';
import type { SignalCapability } from '../../capability/signal.ts';
import { COSTS, type Cost } from '../../costs.ts';
import { RpcError } from '../../errors.ts';
import { rpc, session } from '../../interface/interface.ts';
import { boolean, integer, nothing } from '../../interface/shapes.ts';
import { LIMITS } from '../../limits.ts';
import type { Dataspace } from '../../memory/dataspace.ts';
import type { SessionArguments } from '../parent.ts';
import { dataspace } from '../rom.ts';
import { INPUT_EVENT_BYTES } from './event.ts';

/** The events that there is room for if the client does not say. */
export const INPUT_EVENTS_DEFAULT = 256;
/** Fewer are of no use: a key takes a place for being pressed, and one for being released. */
const INPUT_EVENTS_MIN = 16;

/** The number of events that these arguments ask for. Throws `InvalidArgument`. */
export function inputEventsOf({ events = INPUT_EVENTS_DEFAULT }: Readonly<SessionArguments>): number {
  const isNumber = typeof events === 'number' && Number.isSafeInteger(events);
  if (isNumber && events >= INPUT_EVENTS_MIN && events <= LIMITS.inputEvents) return events;
  throw new RpcError('InvalidArgument', `events is from ${INPUT_EVENTS_MIN} to ${LIMITS.inputEvents}`);
}

/** What a client donates for the dataspace, beyond the session itself. */
export function inputCost(events: number): Cost {
  const { ram, caps } = COSTS.dataspace;
  return { ram: ram + events * INPUT_EVENT_BYTES, caps };
}

/** The Input session. */
export const Input = session(
  'Input',
  {
    /** Where `flush` puts the events. */
    dataspace: rpc<() => Dataspace>({ args: [], result: dataspace }),
    /** Whether there are events. */
    pending: rpc<() => boolean>({ args: [], result: boolean }),
    /** Puts the events into the dataspace, from its front on; the result is how many. */
    flush: rpc<() => number>({ args: [], result: integer(0, LIMITS.inputEvents) }),
    /** Sets the handler that is woken when there are events. */
    setHandler: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
  },
  {
    cost: COSTS.session,
    argumentsRam: (args) => inputEventsOf(args) * INPUT_EVENT_BYTES,
  },
);
