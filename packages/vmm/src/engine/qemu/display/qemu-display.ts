/**
 * Screen, keyboard and mouse of QEMU. The picture comes by RFB whenever it has changed; keys and
 * movements are commands of QMP, whose numbers of keys are the scan codes of a PC.
 */
import type { Rectangle } from '@ginit/core/framebuffer';
import type { FramebufferMode } from '@ginit/core/framebuffer';
import { type InputEvent, keyCode, type MoveEvent } from '@ginit/core/input';
import { PointerWay } from '../../../devices/pointer-way.ts';
import { scancodesOf } from '../../../devices/scancodes.ts';
import { DrawnPicture, type Picture } from '../../../devices/vga/picture.ts';
import type { Display } from '../../engine.ts';
import { RfbClient, type RfbConnection } from './rfb-client.ts';

/** Commands that QEMU has not answered; what is done meanwhile is lost, except releases. */
const UNANSWERED_MAX = 64;
const UNANSWERED_RELEASES_MAX = 2 * UNANSWERED_MAX;
/** Steps of the wheel that one event may have. */
const WHEEL_STEPS_MAX = 8;
/** The time that a guest has for each key: QEMU keeps 16 codes for it, and a chord has several. */
const KEY_MS = 24;
/** In the numbers of QMP, codes behind 0xe0 have this bit. */
const EXTENDED = 0x80;
const PAUSE_NUMBER = 0xc6;

const BUTTONS = new Map([
  [keyCode('btn_left'), 'left'],
  [keyCode('btn_middle'), 'middle'],
  [keyCode('btn_right'), 'right'],
]);

/** An event as QMP has it. */
type QmpInput = Readonly<Record<string, unknown>>;
/** Has QEMU do it; settles when that has answered. */
type Send = (events: readonly QmpInput[]) => Promise<unknown>;

/** The display of one machine, whichever process of QEMU runs it. */
export class QemuDisplay implements Display {
  readonly keyMs = KEY_MS;
  readonly #largest: FramebufferMode;
  readonly #lost: (error: unknown) => void;
  readonly #picture = new DrawnPicture();
  readonly #way = new PointerWay();
  #screen: RfbClient | undefined;
  #send: Send | undefined;
  #unanswered = 0;

  /** `lost` is told when a screen breaks, also because its QEMU has ended. */
  constructor(largest: FramebufferMode, lost: (error: unknown) => void) {
    this.#largest = largest;
    this.#lost = lost;
  }

  /** From now on it is that of this process. */
  async attach(connection: RfbConnection, send: Send): Promise<void> {
    const screen = await RfbClient.open(connection, {
      resized: (width, height) => this.#resized(width, height),
      line: (y, x, pixels) => this.#picture.drawLine(y, x, pixels),
    });
    this.#screen = screen;
    this.#send = send;
    screen.takeAll().catch((error: unknown) => {
      void screen.close();
      if (this.#screen === screen) this.#lost(error);
    });
  }

  /** Its process is going to end. */
  async detach(): Promise<void> {
    const screen = this.#screen;
    this.#screen = undefined;
    this.#send = undefined;
    await screen?.close();
  }

  get picture(): Picture {
    return this.#picture;
  }

  update(): Rectangle | undefined {
    const change = this.#picture.takeChange();
    if (!change) this.#screen?.stir().catch(() => {});
    return change;
  }

  /** A screen that breaks meanwhile stays as it was. */
  async refresh(): Promise<void> {
    await this.#screen?.whole().catch(() => {});
  }

  input(event: InputEvent): void {
    const events = 'code' in event ? this.#key(event.code, event.kind === 'press') : this.#moved(event);
    const isRelease = event.kind === 'release';
    const most = isRelease ? UNANSWERED_RELEASES_MAX : UNANSWERED_MAX;
    if (!this.#send || events.length === 0 || this.#unanswered >= most) return;
    this.#unanswered++;
    const answered = (): void => void this.#unanswered--;
    this.#send(events).then(answered, answered);
  }

  /** A picture that is too large is black, and as large as one may be. */
  #resized(width: number, height: number): boolean {
    const isWanted = width * height <= this.#largest.width * this.#largest.height;
    if (isWanted) this.#picture.resize(width, height);
    else this.#picture.clear();
    return isWanted;
  }

  #key(code: number, down: boolean): readonly QmpInput[] {
    const button = BUTTONS.get(code);
    if (button !== undefined) return [{ type: 'btn', data: { down, button } }];
    const number = keyNumber(code);
    return number === undefined
      ? []
      : [{ type: 'key', data: { down, key: { type: 'number', data: number } } }];
  }

  #moved(event: MoveEvent): readonly QmpInput[] {
    if (event.kind === 'wheel') return wheel(event.y);
    const { x, y } = this.#way.of(event);
    const axes = [
      ['x', x],
      ['y', y],
    ] as const;
    return axes
      .filter(([, value]) => value !== 0)
      .map(([axis, value]) => ({ type: 'rel', data: { axis, value } }));
  }
}

/** Each step is a button that is pressed and released. */
function wheel(y: number): readonly QmpInput[] {
  const button = y > 0 ? 'wheel-up' : 'wheel-down';
  const steps = Math.min(Math.abs(y), WHEEL_STEPS_MAX);
  return Array.from({ length: 2 * steps }, (_, index) => ({
    type: 'btn',
    data: { down: index % 2 === 0, button },
  }));
}

/** The number that QMP has for a key. */
function keyNumber(code: number): number | undefined {
  const codes = scancodesOf(code, true);
  const [first, second] = codes;
  if (codes.length > 2) return PAUSE_NUMBER;
  return second === undefined ? first : second | EXTENDED;
}
