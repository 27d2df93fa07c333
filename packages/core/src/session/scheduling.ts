/**
 * Scheduling: which CPUs a thread may use, and how urgent it is. It travels as arguments of a CPU session. A parent narrows
 * what its child asks for to what the child was given, so that nobody gets more by starting children of its own
 * (reference: Genode's init, affinities and priorities of sessions).
 *
 *     affinity="2 0 1 1 of 4 1"    column, row, width, height of the part; width, height of the whole
 *     priority="16384"             0 is the most urgent; below PRIORITY_LIMIT
 */
import { SessionError } from '../errors.ts';
import { integer, optional, record, type ShapeType } from '../interface/shapes.ts';
import type { SessionArguments } from './parent.ts';

/** Priorities are below this. */
export const PRIORITY_LIMIT = 65_536;
/** Columns or rows of a grid. Nested parts multiply them. */
const GRID_LIMIT = 65_536;

const extent = integer(1, GRID_LIMIT);
const place = integer(0, GRID_LIMIT - 1);

/** A part of a grid that stands for all CPUs; its cells are numbered row by row. */
export const affinityShape = record({
  xpos: place,
  ypos: place,
  width: extent,
  height: extent,
  spaceWidth: extent,
  spaceHeight: extent,
});
export type CpuAffinity = ShapeType<typeof affinityShape>;

/** Where and how urgently a thread runs. */
export const schedulingShape = record({
  /** None: anywhere. */
  affinity: optional(affinityShape),
  priority: integer(0, PRIORITY_LIMIT - 1),
});
export type Scheduling = ShapeType<typeof schedulingShape>;

const AFFINITY = /^(\d{1,5}) (\d{1,5}) (\d{1,5}) (\d{1,5}) of (\d{1,5}) (\d{1,5})$/;

/** What the arguments of a session ask for. Throws `DENIED` if they make no sense. */
export function schedulingOf(args: SessionArguments): Scheduling {
  const { affinity, priority = 0 } = args;
  try {
    const asked = affinity === undefined ? undefined : parseAffinity(String(affinity));
    return schedulingShape({ affinity: asked, priority: Number(priority) }, 'scheduling');
  } catch {
    throw new SessionError('DENIED', 'the arguments "affinity" and "priority" make no sense');
  }
}

/** The same as arguments of a session, beside others. */
export function withScheduling(args: SessionArguments, scheduling: Scheduling): SessionArguments {
  const { affinity: _affinity, priority: _priority, ...others } = args;
  const { affinity, priority } = scheduling;
  return {
    ...others,
    ...(affinity && { affinity: formatAffinity(affinity) }),
    ...(priority > 0 && { priority }),
  };
}

/**
 * What a child gets that asks for `inner` and was given `outer`, one of `levels` levels (a power of two) of priority. Throws
 * `DENIED` if the part is too small to be told.
 */
export function narrowScheduling(outer: Scheduling, levels: number, inner: Scheduling): Scheduling {
  const priority = outer.priority + Math.floor(inner.priority / levels);
  const affinity = narrowAffinity(outer.affinity, inner.affinity);
  if (affinity && Math.max(affinity.spaceWidth, affinity.spaceHeight) > GRID_LIMIT) {
    throw new SessionError(
      'DENIED',
      `its part of an affinity space is finer than ${GRID_LIMIT} columns or rows`,
    );
  }
  return { affinity, priority };
}

function narrowAffinity(
  outer: CpuAffinity | undefined,
  inner: CpuAffinity | undefined,
): CpuAffinity | undefined {
  if (!outer || !inner) return outer ?? inner;
  return {
    xpos: outer.xpos * inner.spaceWidth + inner.xpos * outer.width,
    ypos: outer.ypos * inner.spaceHeight + inner.ypos * outer.height,
    width: outer.width * inner.width,
    height: outer.height * inner.height,
    spaceWidth: outer.spaceWidth * inner.spaceWidth,
    spaceHeight: outer.spaceHeight * inner.spaceHeight,
  };
}

function formatAffinity({ xpos, ypos, width, height, spaceWidth, spaceHeight }: CpuAffinity): string {
  return `${xpos} ${ypos} ${width} ${height} of ${spaceWidth} ${spaceHeight}`;
}

function parseAffinity(text: string): CpuAffinity {
  const numbers = AFFINITY.exec(text)?.slice(1).map(Number);
  if (!numbers) throw new TypeError('not an affinity');
  const [xpos, ypos, width, height, spaceWidth, spaceHeight] = numbers;
  const affinity = affinityShape({ xpos, ypos, width, height, spaceWidth, spaceHeight }, 'affinity');
  if (affinity.xpos + affinity.width > affinity.spaceWidth) throw new RangeError('too wide');
  if (affinity.ypos + affinity.height > affinity.spaceHeight) throw new RangeError('too high');
  return affinity;
}

/**
 * The CPUs, out of `available`, that the part stands for: each that it touches when the cells of the grid, row by row, are
 * laid over all of them side by side.
 */
export function cpusOf(affinity: CpuAffinity, available: readonly number[]): number[] {
  const { xpos, ypos, width, height, spaceWidth, spaceHeight } = affinity;
  const cells = spaceWidth * spaceHeight;
  const touched = new Set<number>();
  for (let row = ypos; row < ypos + height && touched.size < available.length; row++) {
    const first = row * spaceWidth + xpos;
    const end = Math.min(available.length, Math.ceil(((first + width) * available.length) / cells));
    for (let index = Math.floor((first * available.length) / cells); index < end; index++) touched.add(index);
  }
  return available.filter((_, index) => touched.has(index));
}
