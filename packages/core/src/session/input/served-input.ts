/** The server's side of an Input session: a bounded queue, and word for the client. */
import type { SignalCapability } from '../../capability/signal.ts';
import { RpcError, SessionError } from '../../errors.ts';
import type { Implementation } from '../../interface/interface.ts';
import type { Dataspace } from '../../memory/dataspace.ts';
import type { SessionArguments } from '../parent.ts';
import { type Input, inputCost, inputEventsOf } from './declaration.ts';
import { encodeInputEvent, INPUT_EVENT_BYTES, type InputEvent } from './event.ts';
import { EventQueue } from './event-queue.ts';

/** The part of a session request that is needed to serve it. */
export interface InputSessionContext {
  readonly args: SessionArguments;
  /** What is left of the donation, in bytes and capabilities. */
  readonly ram: number;
  readonly caps: number;
}

/** The part of `env` that makes dataspaces. */
export interface InputMemory {
  readonly ram: {
    allocate(sizeBytes: number): Promise<Dataspace>;
    free(dataspace: Dataspace): Promise<void>;
  };
}

/**
 * Keyboard and mouse of one client, as the server has them.
 *
 *     env.provide(Input, async (session) => {
 *       const input = await ServedInput.open(env, session);
 *       input.submit({ kind: 'press', code: keyCode('enter') });
 *       return input.session;
 *     });
 */
export class ServedInput {
  /** The object that answers the client. */
  readonly session: Implementation<typeof Input>;
  readonly #queue: EventQueue;
  #handler: SignalCapability | undefined;

  private constructor(env: InputMemory, events: number, memory: Dataspace, closed: () => void) {
    this.#queue = new EventQueue(events);
    this.session = {
      dataspace: () => memory,
      pending: () => this.#queue.length > 0,
      flush: () => this.#flush(memory),
      setHandler: (handler) => {
        this.#handler?.[Symbol.dispose]();
        this.#handler = handler;
        if (this.#queue.length > 0) handler.submit();
      },
      [Symbol.asyncDispose]: async () => {
        this.#handler?.[Symbol.dispose]();
        closed();
        await env.ram.free(memory);
      },
    };
  }

  /**
   * Keyboard and mouse for one client. Throws `SessionError` for impossible arguments, and if the
   * donation does not pay for the dataspace.
   */
  static async open(
    env: InputMemory,
    { args, ram, caps }: InputSessionContext,
    closed: () => void = () => {},
  ): Promise<ServedInput> {
    const events = eventsOf(args);
    const cost = inputCost(events);
    if (ram < cost.ram) throw new SessionError('INSUFFICIENT_RAM', `the events take ${cost.ram} bytes more`);
    if (caps < cost.caps) throw new SessionError('INSUFFICIENT_CAPS', 'the events take one capability more');
    return new ServedInput(env, events, await env.ram.allocate(events * INPUT_EVENT_BYTES), closed);
  }

  /** Gives the client an event. The result is false if its queue has no place for it. */
  submit(event: InputEvent): boolean {
    const isFirst = this.#queue.length === 0;
    const isTaken = this.#queue.push(event);
    if (isFirst && isTaken) this.#handler?.submit();
    return isTaken;
  }

  /** Releases every key that is down for the client. */
  releaseAll(): void {
    const isFirst = this.#queue.length === 0;
    this.#queue.releaseAll();
    if (isFirst && this.#queue.length > 0) this.#handler?.submit();
  }

  #flush(memory: Dataspace): number {
    const { buffer, byteOffset, byteLength } = memory.attach();
    const view = new DataView(buffer, byteOffset, byteLength);
    const events = this.#queue.takeAll();
    for (const [index, event] of events.entries()) encodeInputEvent(event, view, index * INPUT_EVENT_BYTES);
    return events.length;
  }
}

function eventsOf(args: SessionArguments): number {
  try {
    return inputEventsOf(args);
  } catch (error) {
    if (error instanceof RpcError) throw new SessionError('DENIED', error.message);
    throw error;
  }
}
