/** The server's side of an Input session: a bounded queue, and word for the client. */
import type { SignalCapability } from '../../capability/signal.ts';
import type { Implementation } from '../../interface/interface.ts';
import type { Dataspace } from '../../memory/dataspace.ts';
import {
  type MemorySessionContext,
  readOrDeny,
  refuseTooLittle,
  type SessionMemory,
} from '../session-memory.ts';
import { type Input, inputCost, inputEventsOf } from './declaration.ts';
import { encodeInputEvent, INPUT_EVENT_BYTES, type InputEvent } from './event.ts';
import { EventQueue } from './event-queue.ts';

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

  private constructor(env: SessionMemory, events: number, memory: Dataspace, closed: () => void) {
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
    env: SessionMemory,
    context: MemorySessionContext,
    closed: () => void = () => {},
  ): Promise<ServedInput> {
    const events = readOrDeny(() => inputEventsOf(context.args));
    refuseTooLittle(context, inputCost(events));
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
