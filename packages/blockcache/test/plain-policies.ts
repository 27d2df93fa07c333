/**
 * The policies in their plainest form: arrays and maps, and nothing that is fast. Each is a
 * function that says whether a chunk is hit.
 */
import type { FixedPolicyName } from '../src/policy/replacement-policy.ts';
import { FrequencySketch } from '../src/directory/frequency-sketch.ts';

type Plain = (chunk: number) => boolean;

const drop = (array: number[], chunk: number): boolean => {
  const at = array.indexOf(chunk);
  if (at >= 0) array.splice(at, 1);
  return at >= 0;
};

/** The newest is at the end. */
function lru(slots: number): Plain {
  const order: number[] = [];
  return (chunk) => {
    const hit = drop(order, chunk);
    if (!hit && order.length === slots) order.shift();
    order.push(chunk);
    return hit;
  };
}

/** As in the paper, figure 4. */
function arc(slots: number): Plain {
  const [t1, t2, b1, b2]: [number[], number[], number[], number[]] = [[], [], [], []];
  let p = 0;
  const replace = (inB2: boolean): void => {
    const fromT1 = t1.length > 0 && (t1.length > p || (inB2 && t1.length === Math.floor(p)));
    const [from, to] = fromT1 || t2.length === 0 ? [t1, b1] : [t2, b2];
    const gone = from.shift();
    if (gone !== undefined) to.push(gone);
  };
  return (chunk) => {
    if (drop(t1, chunk) || drop(t2, chunk)) {
      t2.push(chunk);
      return true;
    }
    const full = t1.length + t2.length === slots;
    if (b1.includes(chunk)) {
      p = Math.min(slots, p + Math.max(1, b2.length / b1.length));
      replace(false);
      drop(b1, chunk);
      t2.push(chunk);
    } else if (b2.includes(chunk)) {
      p = Math.max(0, p - Math.max(1, b1.length / b2.length));
      replace(true);
      drop(b2, chunk);
      t2.push(chunk);
    } else {
      if (t1.length + b1.length === slots) {
        if (t1.length < slots) {
          b1.shift();
          replace(false);
        } else t1.shift();
      } else if (full) {
        if (t1.length + t2.length + b1.length + b2.length === 2 * slots) b2.shift();
        replace(false);
      }
      t1.push(chunk);
    }
    return false;
  };
}

function s3fifo(slots: number): Plain {
  const [small, main, ghosts]: [number[], number[], number[]] = [[], [], []];
  const uses = new Map<number, number>();
  const smallMax = Math.max(1, Math.floor(slots * 0.1));
  const ghostsMax = Math.max(1, slots - smallMax);
  const evict = (): void => {
    for (;;) {
      if (small.length > 0 && (small.length >= smallMax || main.length === 0)) {
        const chunk = small.shift() ?? 0;
        if ((uses.get(chunk) ?? 0) > 1) {
          uses.set(chunk, 0);
          main.push(chunk);
          continue;
        }
        if (ghosts.length === ghostsMax) ghosts.shift();
        ghosts.push(chunk);
        return;
      }
      const chunk = main.shift() ?? 0;
      const count = uses.get(chunk) ?? 0;
      if (count === 0) return;
      uses.set(chunk, count - 1);
      main.push(chunk);
    }
  };
  return (chunk) => {
    if (small.includes(chunk) || main.includes(chunk)) {
      uses.set(chunk, Math.min(3, (uses.get(chunk) ?? 0) + 1));
      return true;
    }
    if (small.length + main.length === slots) evict();
    (drop(ghosts, chunk) ? main : small).push(chunk);
    uses.set(chunk, 0);
    return false;
  };
}

function sieve(slots: number): Plain {
  /** The newest is first. */
  const order: { chunk: number; visited: boolean }[] = [];
  let hand: { chunk: number; visited: boolean } | undefined;
  return (chunk) => {
    const found = order.find((entry) => entry.chunk === chunk);
    if (found) {
      found.visited = true;
      return true;
    }
    if (order.length === slots) {
      let entry = hand ?? order.at(-1);
      while (entry?.visited) {
        entry.visited = false;
        entry = order[order.indexOf(entry) - 1] ?? order.at(-1);
      }
      const at = entry ? order.indexOf(entry) : 0;
      hand = order[at - 1];
      order.splice(at, 1);
    }
    order.unshift({ chunk, visited: false });
    return false;
  };
}

/** The sketch is the real one: it is what the algorithm is about, not how it is stored. */
function wTinyLfu(slots: number): Plain {
  const sketch = new FrequencySketch(slots);
  const [window, probation, guarded]: [number[], number[], number[]] = [[], [], []];
  const windowMax = Math.max(1, Math.round(slots * 0.01));
  const guardedMax = Math.max(1, Math.floor((slots - windowMax) * 0.8));
  const evict = (): void => {
    const candidate = window.length >= windowMax ? window[0] : undefined;
    const victim = probation[0] ?? guarded[0];
    const loser =
      candidate === undefined || victim === undefined
        ? (candidate ?? victim ?? window[0])
        : sketch.frequency(candidate) > sketch.frequency(victim)
          ? victim
          : candidate;
    if (loser === undefined) return;
    if (loser === victim && candidate !== undefined) probation.push(window.shift() ?? 0);
    if (!drop(window, loser) && !drop(probation, loser)) drop(guarded, loser);
  };
  return (chunk) => {
    if (window.includes(chunk) || probation.includes(chunk) || guarded.includes(chunk)) {
      sketch.add(chunk);
      if (drop(window, chunk)) window.push(chunk);
      else {
        if (!drop(probation, chunk)) drop(guarded, chunk);
        guarded.push(chunk);
        if (guarded.length > guardedMax) probation.push(guarded.shift() ?? 0);
      }
      return true;
    }
    if (window.length + probation.length + guarded.length === slots) evict();
    sketch.add(chunk);
    window.push(chunk);
    if (window.length > windowMax) probation.push(window.shift() ?? 0);
    return false;
  };
}

export const PLAIN_POLICIES: Readonly<Record<FixedPolicyName, (slots: number) => Plain>> = {
  lru,
  arc,
  s3fifo,
  sieve,
  'w-tinylfu': wTinyLfu,
};
