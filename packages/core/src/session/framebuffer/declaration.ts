/**
 * Framebuffer: pixels that a component draws, and whoever shows them (reference: Genode's
 * Framebuffer session). The server has a dataspace for the pixels; the client writes them there,
 * line after line without gaps, 4 bytes each: blue, green, red, and one that nobody looks at. Then
 * it tells by `refresh` which rectangle has changed; what lies outside of the screen is cut off.
 *
 * The mode is the size of the screen. It may change on either side: the client asks for another one
 * by `request`, and takes what it is given; the server wakes the handler of the client, which asks
 * for the new one by `mode`. Pixels and rectangles are those of the mode that the client was told
 * last, so neither side ever reads the other's lines with a wrong length.
 *
 * The dataspace is the same in all modes. The session arguments `width` and `height` name the
 * largest mode; the client pays for the pixels of that beyond the session itself, and the server
 * may not change to a mode with more of them.
 */
import { signal } from '../../capability/capability.ts';
import type { SignalCapability } from '../../capability/signal.ts';
import { COSTS, type Cost } from '../../costs.ts';
import { RpcError } from '../../errors.ts';
import { rpc, session } from '../../interface/interface.ts';
import { integer, nothing, record, type ShapeType } from '../../interface/shapes.ts';
import { LIMITS } from '../../limits.ts';
import type { Dataspace } from '../../memory/dataspace.ts';
import type { SessionArguments } from '../parent.ts';
import { dataspace } from '../rom.ts';

/** The largest mode of a session that does not say one. */
export const FRAMEBUFFER_MODE_DEFAULT = { width: 1024, height: 768 } as const;
/** The bytes of a pixel: blue, green, red, and one that nobody looks at. */
export const PIXEL_BYTES = 4;

const side = integer(1, LIMITS.framebufferSide);
const framebufferMode = record({ width: side, height: side });
/** The size of a screen in pixels. */
export type FramebufferMode = ShapeType<typeof framebufferMode>;

const coordinate = integer(0, LIMITS.framebufferSide);
const rectangleShape = record({ x: coordinate, y: coordinate, width: coordinate, height: coordinate });
/** A part of a screen, in pixels from its upper left corner. */
export type Rectangle = ShapeType<typeof rectangleShape>;

/** The bytes of all pixels of a mode. */
export function pixelBytes({ width, height }: FramebufferMode): number {
  return width * height * PIXEL_BYTES;
}

/** The part of a rectangle that lies on a screen of this size; nothing if there is none. */
export function onScreen(rectangle: Rectangle, { width, height }: FramebufferMode): Rectangle | undefined {
  const { x, y } = rectangle;
  const right = Math.min(x + rectangle.width, width);
  const bottom = Math.min(y + rectangle.height, height);
  return right > x && bottom > y ? { x, y, width: right - x, height: bottom - y } : undefined;
}

/** The largest mode that these arguments ask for. Throws `InvalidArgument`. */
export function framebufferModeOf(args: Readonly<SessionArguments>): FramebufferMode {
  const { width = FRAMEBUFFER_MODE_DEFAULT.width, height = FRAMEBUFFER_MODE_DEFAULT.height } = args;
  return { width: sideOf('width', width), height: sideOf('height', height) };
}

function sideOf(name: string, value: unknown): number {
  const most = LIMITS.framebufferSide;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= most) return value;
  throw new RpcError('InvalidArgument', `${name} is a number of pixels from 1 to ${most}`);
}

/** What a client donates for the pixels of its largest mode, beyond the session itself. */
export function framebufferCost(mode: FramebufferMode): Cost {
  const { ram, caps } = COSTS.dataspace;
  return { ram: ram + pixelBytes(mode), caps };
}

/** The Framebuffer session. */
export const Framebuffer = session('Framebuffer', {
  /** The mode now. From then on, pixels and rectangles are those of this mode. */
  mode: rpc<() => FramebufferMode>({ args: [], result: framebufferMode }),
  /** Asks for another mode; the result is the mode from then on, perhaps another one. */
  request: rpc<(mode: FramebufferMode) => FramebufferMode>({
    args: [framebufferMode],
    result: framebufferMode,
  }),
  /** The pixels, with room for those of the largest mode. */
  dataspace: rpc<() => Dataspace>({ args: [], result: dataspace }),
  /** Sets the handler that is woken when there is another mode than the client was told last. */
  setModeHandler: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
  /** The pixels in this rectangle have changed. */
  refresh: rpc<(changed: Rectangle) => void>({ args: [rectangleShape], result: nothing }),
});
