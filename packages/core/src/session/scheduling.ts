/**
 * Scheduling: which CPUs a thread may use, and how urgent it is. It travels as arguments of a CPU
 * session. A parent narrows what its child asks for to what the child was given, so that nobody
 * gets more by starting children of its own (reference: Genode's init, affinities and priorities of
 * sessions).
 *
 *     affinity="2 0 1 1 of 4 1"    column, row, width, height of the part; width, height of the whole.
                                 After a comma, a part of that part, and so on
 *     priority="16384"             0 is the most urgent; below PRIORITY_LIMIT
 */
import { SessionError } from '../errors.ts';
import { integer, list, record, type ShapeType } from '../interface/shapes.ts';
import type { SessionArguments } from './parent.ts';

/** Priorities are below this. */
export const PRIORITY_LIMIT = 65_536;
/** Columns or rows of a grid. */
const GRID_LIMIT = 4096;
/** Parts of parts. */
const PARTS_MAX = 16;

const extent = integer(1, GRID_LIMIT);
const place = integer(0, GRID_LIMIT - 1);

/** A part of a grid that is laid over CPUs. */
export const affinityShape = record({
  xpos: place,
  ypos: place,
  width: extent,
  height: extent,
  spaceWidth: extent,
  spaceHeight: extent,
});
/**
 * A part of a grid of CPUs: column, row, width and height, and the width and height of the grid.
 */
export type CpuAffinity = ShapeType<typeof affinityShape>;

/** Where and how urgently a thread runs. */
export const schedulingShape = record({
  /** Each is a part of what the one before it has left; an empty list means any CPU. */
  affinity: list(affinityShape, PARTS_MAX),
  priority: integer(0, PRIORITY_LIMIT - 1),
});
/** The CPUs that a thread may use, and its priority: 0 is the most urgent. */
export type Scheduling = ShapeType<typeof schedulingShape>;

const AFFINITY = /^(\d{1,4}) (\d{1,4}) (\d{1,4}) (\d{1,4}) of (\d{1,4}) (\d{1,4})$/;

/**
 * The scheduling that the arguments of a session ask for. Throws `DENIED` if they are malformed.
 */
export function schedulingOf(args: SessionArguments): Scheduling {
  const { affinity, priority = 0 } = args;
  try {
    const parts = affinity === undefined ? [] : String(affinity).split(',').map(parseAffinity);
    return schedulingShape({ affinity: parts, priority: Number(priority) }, 'scheduling');
  } catch {
    throw new SessionError('DENIED', 'the arguments "affinity" and "priority" make no sense');
  }
}

/** The arguments of a session with this scheduling in the place of theirs. */
export function withScheduling(args: SessionArguments, scheduling: Scheduling): SessionArguments {
  const { affinity: _affinity, priority: _priority, ...others } = args;
  const { affinity, priority } = scheduling;
  return {
    ...others,
    ...(affinity.length > 0 && { affinity: affinity.map(formatAffinity).join(',') }),
    ...(priority > 0 && { priority }),
  };
}

/**
 * The scheduling of a child that asks for `inner` when its parent was given `outer` and cuts the
 * priorities into `levels` (a power of two). Throws `DENIED` if parents are nested too deep.
 */
export function narrowScheduling(outer: Scheduling, levels: number, inner: Scheduling): Scheduling {
  const affinity = [...outer.affinity, ...inner.affinity];
  if (affinity.length > PARTS_MAX) {
    throw new SessionError('DENIED', `more than ${PARTS_MAX} affinities inside each other`);
  }
  return { affinity, priority: outer.priority + Math.floor(inner.priority / levels) };
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

/** The numbers of the CPUs, out of `available`, that an affinity allows. */
export function cpusOf(affinity: readonly CpuAffinity[], available: readonly number[]): readonly number[] {
  return affinity.reduce((cpus: readonly number[], part) => cpusOfPart(part, cpus), available);
}

/**
 * The CPUs that a part touches when the cells of its grid, row by row, are laid side by side over
 * all of `available`.
 */
function cpusOfPart(part: CpuAffinity, available: readonly number[]): readonly number[] {
  const { xpos, ypos, width, height, spaceWidth, spaceHeight } = part;
  const cells = spaceWidth * spaceHeight;
  const touched = new Set<number>();
  for (let row = ypos; row < ypos + height && touched.size < available.length; row++) {
    const first = row * spaceWidth + xpos;
    const end = Math.min(available.length, Math.ceil(((first + width) * available.length) / cells));
    for (let index = Math.floor((first * available.length) / cells); index < end; index++) touched.add(index);
  }
  return available.filter((_, index) => touched.has(index));
}
