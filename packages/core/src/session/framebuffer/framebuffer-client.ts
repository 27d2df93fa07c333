/** The client's side of a Framebuffer session: pixels to be drawn, and the mode of the screen. */
import type { SignalCapability } from '../../capability/signal.ts';
import { RpcError } from '../../errors.ts';
import type { Session } from '../../interface/interface.ts';
import type { Dataspace } from '../../memory/dataspace.ts';
import type { SessionOpening } from '../session-opening.ts';
import {
  Framebuffer,
  FRAMEBUFFER_MODE_DEFAULT,
  framebufferCost,
  type FramebufferMode,
  pixelBytes,
  type Rectangle,
} from './declaration.ts';

/** How a screen is asked for. */
export interface ConnectFramebufferOptions {
  readonly label?: string;
  /** The largest mode, for whose pixels the client pays: 1024 x 768 unless told. */
  readonly largest?: FramebufferMode;
}

/**
 * A screen.
 *
 *     const screen = await FramebufferClient.connect(env, { label: 'display' });
 *     const { width } = screen.mode;
 *     screen.pixels.fill(255, 0, 4 * width);
 *     await screen.refresh({ x: 0, y: 0, width, height: 1 });
 *
 * Every promise rejects with `PeerGone` when the server is gone.
 */
export class FramebufferClient {
  readonly #session: Session<typeof Framebuffer>;
  readonly #memory: Dataspace;
  readonly #close: () => Promise<unknown>;
  #mode: FramebufferMode;

  private constructor(
    session: Session<typeof Framebuffer>,
    memory: Dataspace,
    mode: FramebufferMode,
    close: () => Promise<unknown>,
  ) {
    this.#session = session;
    this.#memory = memory;
    this.#mode = mode;
    this.#close = close;
  }

  /**
   * Opens a screen. Rejects with `SessionError`, and with `NotShareable` where client and server
   * share no memory.
   */
  static async connect(
    env: SessionOpening,
    options: ConnectFramebufferOptions = {},
  ): Promise<FramebufferClient> {
    const { label, largest = FRAMEBUFFER_MODE_DEFAULT } = options;
    const session = await env.connect(Framebuffer, {
      ...(label === undefined ? {} : { label }),
      args: { ...largest },
      ...framebufferCost(largest),
    });
    const close = (): Promise<unknown> => env.close(session);
    try {
      const memory = await session.dataspace();
      return new FramebufferClient(session, memory, checkedMode(await session.mode(), memory), close);
    } catch (error) {
      await close().catch(() => {});
      throw error;
    }
  }

  /** The mode of the pixels. */
  get mode(): FramebufferMode {
    return this.#mode;
  }

  /** The pixels, line after line. Throws `Revoked` when the server has taken them back. */
  get pixels(): Uint8Array {
    return this.#memory.attach().subarray(0, pixelBytes(this.#mode));
  }

  /** Wakes `handler` whenever the server has another mode; `update` takes it. */
  async onMode(handler: SignalCapability): Promise<void> {
    await this.#session.setModeHandler(handler);
  }

  /** Takes the newest mode of the server. The pixels are to be drawn anew if it is another one. */
  async update(): Promise<FramebufferMode> {
    return this.#take(await this.#session.mode());
  }

  /** Asks for another mode, and takes what the server gives. */
  async request(mode: FramebufferMode): Promise<FramebufferMode> {
    return this.#take(await this.#session.request(mode));
  }

  /** Tells that the pixels in this rectangle have changed. */
  refresh(changed: Rectangle): Promise<void> {
    return this.#session.refresh(changed);
  }

  /** Closes the session. */
  async close(): Promise<void> {
    await this.#close();
  }

  #take(mode: FramebufferMode): FramebufferMode {
    this.#mode = checkedMode(mode, this.#memory);
    return this.#mode;
  }
}

/** A server that names a mode beyond its own memory would have us write past its end. */
function checkedMode(mode: FramebufferMode, memory: Dataspace): FramebufferMode {
  if (pixelBytes(mode) <= memory.sizeBytes) return mode;
  throw new RpcError(
    'InvalidArgument',
    `a mode of ${mode.width} x ${mode.height} in ${memory.sizeBytes} bytes`,
  );
}
