/**
 * The server's side of a Framebuffer session: the pixels of one client, whose donation pays for
 * them. The client may write there at any time, so whoever looks at them takes a copy.
 */
import type { SignalCapability } from '../../capability/signal.ts';
import { assert, RpcError, SessionError } from '../../errors.ts';
import type { Implementation } from '../../interface/interface.ts';
import type { Dataspace } from '../../memory/dataspace.ts';
import type { SessionArguments } from '../parent.ts';
import {
  type Framebuffer,
  framebufferCost,
  type FramebufferMode,
  framebufferModeOf,
  onScreen,
  pixelBytes,
  type Rectangle,
} from './declaration.ts';

/** The part of a session request that is needed to serve it. */
export interface FramebufferSessionContext {
  readonly args: SessionArguments;
  /** What is left of the donation, in bytes and capabilities. */
  readonly ram: number;
  readonly caps: number;
}

/** The part of `env` that makes dataspaces. */
export interface FramebufferMemory {
  readonly ram: {
    allocate(sizeBytes: number): Promise<Dataspace>;
    free(dataspace: Dataspace): Promise<void>;
  };
}

/** What the server is told of one screen, and asked. */
export interface FramebufferEvents {
  /** The client has drawn here. */
  readonly refreshed?: (changed: Rectangle) => void;
  /** The client wants another mode: what it is to get. Without this it gets what it wants. */
  readonly requested?: (mode: FramebufferMode) => FramebufferMode;
  /** The session was closed. */
  readonly closed?: () => void | Promise<void>;
}

/** A copy of a screen: the pixels in the order and form of the session. */
export interface FramebufferPicture extends FramebufferMode {
  readonly pixels: Uint8Array;
}

/**
 * One screen as its server has it.
 *
 *     env.provide(Framebuffer, async (session) => {
 *       const screen = await ServedFramebuffer.open(env, session, { refreshed: () => show(screen) });
 *       return screen.session;
 *     });
 */
export class ServedFramebuffer {
  /** The object that answers the client. */
  readonly session: Implementation<typeof Framebuffer>;
  readonly #largest: FramebufferMode;
  readonly #memory: Dataspace;
  readonly #events: FramebufferEvents;
  /** The mode that the client was told last. */
  #mode: FramebufferMode;
  /** The mode that it is to have. */
  #next: FramebufferMode;
  #handler: SignalCapability | undefined;

  private constructor(
    env: FramebufferMemory,
    largest: FramebufferMode,
    memory: Dataspace,
    events: FramebufferEvents,
  ) {
    this.#largest = largest;
    this.#memory = memory;
    this.#events = events;
    this.#mode = largest;
    this.#next = largest;
    this.session = this.#implementation(env);
  }

  /**
   * A screen for one client, in its largest mode. Throws `SessionError` for impossible arguments,
   * and if the donation does not pay for the pixels.
   */
  static async open(
    env: FramebufferMemory,
    { args, ram, caps }: FramebufferSessionContext,
    events: FramebufferEvents = {},
  ): Promise<ServedFramebuffer> {
    const largest = largestOf(args);
    const cost = framebufferCost(largest);
    if (ram < cost.ram) throw new SessionError('INSUFFICIENT_RAM', `the pixels take ${cost.ram} bytes more`);
    if (caps < cost.caps) throw new SessionError('INSUFFICIENT_CAPS', 'the pixels take one capability more');
    return new ServedFramebuffer(env, largest, await env.ram.allocate(pixelBytes(largest)), events);
  }

  /** The mode that the client was told last, which the pixels have. */
  get mode(): FramebufferMode {
    return this.#mode;
  }

  /** The mode from which on no larger ones can be had. */
  get largest(): FramebufferMode {
    return this.#largest;
  }

  /** Offers the client another mode, with no more pixels than its largest. */
  offer({ width, height }: FramebufferMode): void {
    assert(pixelBytes({ width, height }) <= this.#memory.sizeBytes, 'a mode fits the memory of its screen');
    this.#next = { width, height };
    if (this.#isOutdated()) this.#handler?.submit();
  }

  /** A copy of the screen. */
  picture(): FramebufferPicture {
    const { width, height } = this.#mode;
    // A copy is memory of our own, which the client does not change any more.
    const pixels = new Uint8Array(this.#memory.attach().subarray(0, pixelBytes({ width, height })));
    return { width, height, pixels };
  }

  #isOutdated(): boolean {
    return this.#next.width !== this.#mode.width || this.#next.height !== this.#mode.height;
  }

  #request(wanted: FramebufferMode): FramebufferMode {
    const given = this.#events.requested?.(wanted) ?? wanted;
    if (pixelBytes(given) > this.#memory.sizeBytes) {
      const { width, height } = this.#largest;
      throw new RpcError('InvalidArgument', `the session has paid for ${width} x ${height} pixels`);
    }
    this.#next = given;
    this.#mode = given;
    return given;
  }

  #implementation(env: FramebufferMemory): Implementation<typeof Framebuffer> {
    return {
      mode: () => {
        this.#mode = this.#next;
        return this.#mode;
      },
      request: (mode) => this.#request(mode),
      dataspace: () => this.#memory,
      setModeHandler: (handler) => {
        this.#handler?.[Symbol.dispose]();
        this.#handler = handler;
        if (this.#isOutdated()) handler.submit();
      },
      refresh: (rectangle) => {
        const changed = onScreen(rectangle, this.#mode);
        if (changed) this.#events.refreshed?.(changed);
      },
      [Symbol.asyncDispose]: async () => {
        this.#handler?.[Symbol.dispose]();
        await this.#events.closed?.();
        await env.ram.free(this.#memory);
      },
    };
  }
}

function largestOf(args: SessionArguments): FramebufferMode {
  try {
    return framebufferModeOf(args);
  } catch (error) {
    if (error instanceof RpcError) throw new SessionError('DENIED', error.message);
    throw error;
  }
}
