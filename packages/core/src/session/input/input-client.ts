/** The client's side of an Input session: events in the order in which they came. */
import type { SignalCapability } from '../../capability/signal.ts';
import type { Session } from '../../interface/interface.ts';
import type { Dataspace } from '../../memory/dataspace.ts';
import type { SessionOpening } from '../session-opening.ts';
import { Input, INPUT_EVENTS_DEFAULT, inputCost } from './declaration.ts';
import { decodeInputEvent, INPUT_EVENT_BYTES, type InputEvent } from './event.ts';

/** How keyboard and mouse are asked for. */
export interface ConnectInputOptions {
  readonly label?: string;
  /** The number of events that wait for the client. */
  readonly events?: number;
}

/**
 * Keyboard and mouse.
 *
 *     const input = await InputClient.connect(env, { label: 'keyboard' });
 *     await input.onEvents(env.signal(async () => (await input.take()).forEach(handle)));
 *
 * Every promise rejects with `PeerGone` when the server is gone.
 */
export class InputClient {
  readonly #session: Session<typeof Input>;
  readonly #memory: Dataspace;
  readonly #close: () => Promise<unknown>;

  private constructor(session: Session<typeof Input>, memory: Dataspace, close: () => Promise<unknown>) {
    this.#session = session;
    this.#memory = memory;
    this.#close = close;
  }

  /**
   * Opens a session. Rejects with `SessionError`, and with `NotShareable` where client and server
   * share no memory.
   */
  static async connect(env: SessionOpening, options: ConnectInputOptions = {}): Promise<InputClient> {
    const { label, events = INPUT_EVENTS_DEFAULT } = options;
    const session = await env.connect(Input, {
      ...(label === undefined ? {} : { label }),
      args: { events },
      ...inputCost(events),
    });
    const close = (): Promise<unknown> => env.close(session);
    try {
      return new InputClient(session, await session.dataspace(), close);
    } catch (error) {
      await close().catch(() => {});
      throw error;
    }
  }

  /** Wakes `handler` when there are events; `take` fetches them. */
  async onEvents(handler: SignalCapability): Promise<void> {
    await this.#session.setHandler(handler);
  }

  /**
   * The events since the last call. What a server has written there and is no event is left out.
   * One call at a time.
   */
  async take(): Promise<InputEvent[]> {
    const count = await this.#session.flush();
    // The server may write there while we read, so all of it is copied first.
    const bytes = new Uint8Array(this.#memory.attach().subarray(0, count * INPUT_EVENT_BYTES));
    const view = new DataView(bytes.buffer);
    const events: InputEvent[] = [];
    for (let at = 0; at + INPUT_EVENT_BYTES <= bytes.byteLength; at += INPUT_EVENT_BYTES) {
      const event = decodeInputEvent(view, at);
      if (event) events.push(event);
    }
    return events;
  }

  /** Closes the session. */
  async close(): Promise<void> {
    await this.#close();
  }
}
