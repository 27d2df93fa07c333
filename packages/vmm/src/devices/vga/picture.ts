/** The picture on a screen, which knows what of it has changed. */
import type { Rectangle } from '@ginit/core/framebuffer';

/** Pixels, line after line, as 0xRRGGBB. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint32Array;
}

/** A picture that is drawn line by line. */
export class DrawnPicture implements Picture {
  #width = 0;
  #height = 0;
  #pixels = new Uint32Array(0);
  /** The first line that has changed, and the one behind the last. */
  #first = Number.POSITIVE_INFINITY;
  #end = 0;

  get width(): number {
    return this.#width;
  }

  get height(): number {
    return this.#height;
  }

  get pixels(): Uint32Array {
    return this.#pixels;
  }

  /** Gives it a size. Another one than before makes it black. */
  resize(width: number, height: number): void {
    if (width === this.#width && height === this.#height) return;
    this.#width = width;
    this.#height = height;
    this.#pixels = new Uint32Array(width * height);
    this.#changed(0, height);
  }

  /** Draws pixels into a line, from column `x` on; what lies outside is cut off. */
  drawLine(y: number, x: number, from: Uint32Array): void {
    if (y < 0 || y >= this.#height) return;
    const begin = Math.max(0, -x);
    const count = Math.min(from.length, this.#width - x) - begin;
    if (count <= 0) return;
    const at = y * this.#width + x + begin;
    for (let index = 0; index < count; index++) {
      if (this.#pixels[at + index] === from[begin + index]) continue;
      this.#pixels.set(from.subarray(begin, begin + count), at);
      this.#changed(y, y + 1);
      return;
    }
  }

  /** Makes it black. */
  clear(): void {
    const black = new Uint32Array(this.#width);
    for (let y = 0; y < this.#height; y++) this.drawLine(y, 0, black);
  }

  /** What has changed since this was asked last. */
  takeChange(): Rectangle | undefined {
    const [first, end] = [this.#first, this.#end];
    this.#first = Number.POSITIVE_INFINITY;
    this.#end = 0;
    return end > first ? { x: 0, y: first, width: this.#width, height: end - first } : undefined;
  }

  #changed(first: number, end: number): void {
    this.#first = Math.min(this.#first, first);
    this.#end = Math.max(this.#end, end);
  }
}
