/** Keyboard and mouse of v86: a PS/2 controller, which takes scan codes and movements. */
import type { InputEvent, MoveEvent } from '@ginit/core/input';
import { keyCode } from '@ginit/core/input';
import { PointerWay } from '../../devices/pointer-way.ts';
import { scancodesOf } from '../../devices/scancodes.ts';
import type { V86Ps2 } from './internals.ts';

/** Bytes that the controller keeps for a guest; then it writes over older ones. */
const KEPT_BYTES = 1024;
/** Of these, room that is left to releases: a guest must not think that a key is still down. */
const FOR_RELEASES = 256;
/** The most that one packet of a PS/2 mouse says. */
const STEP_MAX = 255;
/** Packets that one movement may take. */
const STEPS_MAX = 16;
const PACKET_BYTES = 4;
const WHEEL_MAX = 7;

const BUTTONS = ['btn_left', 'btn_middle', 'btn_right'].map(keyCode);

/** Gives events to the guest. */
export class V86Input {
  readonly #ps2: V86Ps2;
  readonly #buttons: boolean[] = BUTTONS.map(() => false);
  readonly #way = new PointerWay();

  constructor(ps2: V86Ps2) {
    this.#ps2 = ps2;
  }

  /** Gives the guest an event. What it cannot take now is lost. */
  take(event: InputEvent): void {
    if ('code' in event) {
      const button = BUTTONS.indexOf(event.code);
      const isPressed = event.kind === 'press';
      if (button === -1) this.#key(event.code, isPressed);
      else this.#click(button, isPressed);
      return;
    }
    this.#move(event);
  }

  #key(code: number, isPressed: boolean): void {
    const codes = scancodesOf(code, isPressed);
    const room = KEPT_BYTES - this.#ps2.kbd_buffer.length - (isPressed ? FOR_RELEASES : 0);
    if (codes.length > room) return;
    for (const scancode of codes) this.#ps2.kbd_send_code(scancode);
  }

  #click(button: number, isPressed: boolean): void {
    this.#buttons[button] = isPressed;
    this.#sendButtons();
  }

  #sendButtons(): void {
    const [left = false, middle = false, right = false] = this.#buttons;
    if (this.#hasRoom()) this.#ps2.mouse_send_click(left, middle, right);
  }

  #move(event: MoveEvent): void {
    if (event.kind !== 'wheel') return this.#shift(this.#way.of(event));
    this.#ps2.wheel_movement = Math.max(-WHEEL_MAX, Math.min(WHEEL_MAX, -event.y));
    this.#sendButtons();
  }

  #shift({ x, y }: { readonly x: number; readonly y: number }): void {
    let [leftX, leftY] = [x, y];
    for (let step = 0; step < STEPS_MAX && (leftX !== 0 || leftY !== 0) && this.#hasRoom(); step++) {
      const [stepX, stepY] = [limited(leftX), limited(leftY)];
      leftX -= stepX;
      leftY -= stepY;
      // Up is positive for a mouse.
      this.#ps2.mouse_send_delta(stepX, -stepY);
    }
  }

  #hasRoom(): boolean {
    return this.#ps2.mouse_buffer.length + PACKET_BYTES <= KEPT_BYTES;
  }
}

function limited(distance: number): number {
  return Math.max(-STEP_MAX, Math.min(STEP_MAX, distance));
}
