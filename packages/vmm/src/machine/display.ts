/**
 * The screen of a machine with its keyboard and its mouse: at a Framebuffer and an Input session,
 * and for people who look at it by `ginit vm`.
 */
import { type Env, hasCode } from '@ginit/core';
import { FramebufferClient, onScreen, type Rectangle } from '@ginit/core/framebuffer';
import { type Chord, chordOfCombination, chordsOfText, eventsOfChord, InputClient } from '@ginit/core/input';
import type { ConfigNode } from '@ginit/core/config';
import { encodePng } from '@ginit/os/lib/png';
import type { Display, Engine } from '../engine/engine.ts';
import { refusedAt } from './refused.ts';
import type { DisplayConfig } from './schema.ts';

/** How often a picture is shown that changes, and how often one that does not is looked at. */
const FRAME_MS = 40;
const QUIET_FRAME_MS = 200;
/** Frames in a row without a change, after which a picture is quiet. */
const QUIET_FRAMES = 25;
/** The time that a guest has for each key that is typed by `ginit vm`. */
const KEY_MS = 8;

/** The part of `env` that is used. */
export type DisplayEnv = Pick<Env, 'connect' | 'close' | 'timer' | 'signal' | 'warning'>;

/** Joins a machine's display with its sessions. */
export class MachineDisplay {
  readonly #env: DisplayEnv;
  readonly #node: ConfigNode;
  readonly #screen: FramebufferClient | undefined;
  readonly #input: InputClient | undefined;
  #display: Display | undefined;
  /** What has changed in the picture and is not shown. */
  #change: Rectangle | undefined;
  #isOver = false;
  #frames = 0;

  private constructor(
    env: DisplayEnv,
    node: ConfigNode,
    screen: FramebufferClient | undefined,
    input: InputClient | undefined,
  ) {
    this.#env = env;
    this.#node = node;
    this.#screen = screen;
    this.#input = input;
  }

  /** Opens the sessions. Throws a `ConfigError` if one of them cannot be had. */
  static async connect(env: DisplayEnv, config: DisplayConfig): Promise<MachineDisplay> {
    const { label, width, height, framebuffer, input, $node: node } = config;
    const screen =
      framebuffer &&
      (await FramebufferClient.connect(env, { label, largest: { width, height } }).catch(
        refusedAt(node, 'label', `there is no screen "${label}"`),
      ));
    const events =
      input &&
      (await InputClient.connect(env, { label }).catch(
        refusedAt(node, 'label', `there is no keyboard "${label}"`),
      ));
    return new MachineDisplay(env, node, screen || undefined, events || undefined);
  }

  /** From now on the machine is there. Throws a `ConfigError` if its engine has no screen. */
  async start({ display, name }: Pick<Engine, 'display' | 'name'>): Promise<void> {
    if (!display) throw this.#node.errorAt(`a machine of the engine ${name} has no screen yet`);
    this.#display = display;
    if (this.#screen) void this.#show(this.#screen);
    if (this.#input) await this.#listen(this.#input);
  }

  /** The machine goes on in another engine of the same kind. */
  exchange({ display }: Pick<Engine, 'display'>): void {
    this.#display = display;
  }

  /** Pictures that differed from the one before. */
  get frames(): number {
    return this.#frames;
  }

  /** From now on nothing is shown any more. */
  end(): void {
    this.#isOver = true;
  }

  /** The screen as a PNG file. */
  async png(): Promise<Uint8Array> {
    await this.#display?.refresh?.();
    const display = this.#update();
    if (!display) return new Uint8Array(0);
    const { width, height, pixels } = display.picture;
    return encodePng({
      width,
      height,
      pixels: new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength),
    });
  }

  /** Types a text. Throws `InvalidArgument` at a character that no keyboard has. */
  async type(text: string): Promise<void> {
    await this.#press(chordsOfText(text));
  }

  /** Presses combinations of keys, one after the other. Throws `InvalidArgument`. */
  async press(combinations: readonly string[]): Promise<void> {
    await this.#press(combinations.map(chordOfCombination));
  }

  async #press(chords: readonly Chord[]): Promise<void> {
    for (const chord of chords) {
      if (this.#isOver) return;
      for (const event of eventsOfChord(chord)) this.#display?.input(event);
      await this.#env.timer.sleep(this.#display?.keyMs ?? KEY_MS);
    }
  }

  /** Brings the picture up to date, and keeps what has changed for the session. */
  #update(): Display | undefined {
    const change = this.#display?.update();
    if (change) this.#frames++;
    if (change) this.#change = this.#change ? union(this.#change, change) : change;
    return this.#display;
  }

  async #show(screen: FramebufferClient): Promise<void> {
    try {
      for (let quietFrames = 0; !this.#isOver; ) {
        const display = this.#update();
        const change = this.#change;
        this.#change = undefined;
        if (change && display) await showPart(screen, display, change);
        quietFrames = change ? 0 : quietFrames + 1;
        await this.#env.timer.sleep(quietFrames > QUIET_FRAMES ? QUIET_FRAME_MS : FRAME_MS);
      }
    } catch (error) {
      this.#lost('screen', error);
    }
  }

  async #listen(input: InputClient): Promise<void> {
    const fetch = async (): Promise<void> => {
      try {
        for (const event of await input.take()) this.#display?.input(event);
      } catch (error) {
        this.#lost('keyboard', error);
      }
    };
    await input.onEvents(this.#env.signal(fetch)).catch((error: unknown) => this.#lost('keyboard', error));
  }

  #lost(what: string, error: unknown): void {
    // The timer goes with the component.
    if (this.#isOver) return;
    const isGone = hasCode(error, 'PeerGone') || hasCode(error, 'Revoked');
    void this.#env.warning(
      `the ${what} ${isGone ? 'is gone' : `fails: ${error instanceof Error ? error.message : error}`}`,
    );
  }
}

/** Copies the changed part of the picture to the screen, whose mode is the size of the picture. */
async function showPart(screen: FramebufferClient, display: Display, change: Rectangle): Promise<void> {
  const { width, height } = display.picture;
  let part = change;
  if (screen.mode.width !== width || screen.mode.height !== height) {
    const { mode } = screen;
    const given = await screen.request({ width, height }).catch(async (error: unknown) => {
      if (!hasCode(error, 'InvalidArgument')) throw error;
      return screen.update();
    });
    // In a new mode all of it is to be drawn.
    if (given.width !== mode.width || given.height !== mode.height) part = { x: 0, y: 0, width, height };
  }
  // The guest may have gone on meanwhile, and its picture may have another size.
  const { picture } = display;
  const shown = onScreen(onScreen(part, picture) ?? { x: 0, y: 0, width: 0, height: 0 }, screen.mode);
  if (!shown) return;
  const { pixels, mode } = screen;
  const words = new Uint32Array(pixels.buffer, pixels.byteOffset, mode.width * mode.height);
  for (let y = shown.y; y < shown.y + shown.height; y++) {
    const from = y * picture.width + shown.x;
    words.set(picture.pixels.subarray(from, from + shown.width), y * mode.width + shown.x);
  }
  await screen.refresh(shown);
}

/** The smallest rectangle around both. */
function union(one: Rectangle, other: Rectangle): Rectangle {
  const x = Math.min(one.x, other.x);
  const y = Math.min(one.y, other.y);
  const right = Math.max(one.x + one.width, other.x + other.width);
  const bottom = Math.max(one.y + one.height, other.y + other.height);
  return { x, y, width: right - x, height: bottom - y };
}
