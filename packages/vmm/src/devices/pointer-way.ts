/** A mouse of a PC knows no places: where one is named, the guest sees the way there. */
import type { MoveEvent } from '@ginit/core/input';

/** The pointer of one machine. */
export class PointerWay {
  /** Where it was said to be. */
  #at: { readonly x: number; readonly y: number } | undefined;

  /** How far it moves. */
  of({ kind, x, y }: MoveEvent): { readonly x: number; readonly y: number } {
    if (kind !== 'position') return { x, y };
    const from = this.#at ?? { x, y };
    this.#at = { x, y };
    return { x: x - from.x, y: y - from.y };
  }
}
