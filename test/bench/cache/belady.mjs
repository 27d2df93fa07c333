/**
 * Belady's optimum: what goes is the chunk whose next use is farthest away. No policy that does not
 * know the future hits more.
 */

/**
 * For each use the place of the next use of the same chunk; the end of the trace if there is none.
 */
export function nextUses(trace) {
  const next = new Uint32Array(trace.length);
  const last = new Map();
  for (let at = trace.length - 1; at >= 0; at--) {
    next[at] = last.get(trace[at]) ?? trace.length;
    last.set(trace[at], at);
  }
  return next;
}

/**
 * A heap of the next uses of what is in the cache, the farthest on top; some of them are outdated.
 */
class FarthestFirst {
  #heap = [];

  get size() {
    return this.#heap.length;
  }

  push(entry) {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent].next >= entry.next) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  pop() {
    const heap = this.#heap;
    const [top] = heap;
    const entry = heap.pop();
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1].next > heap[child].next) child++;
      if (heap[child].next <= entry.next) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = entry;
    return top;
  }
}

/** The number of hits of the optimum. `next` is what `nextUses` returns. */
export function beladyHits(trace, next, slots) {
  const held = new Map();
  const heap = new FarthestFirst();
  let hits = 0;
  for (let at = 0; at < trace.length; at++) {
    const chunk = trace[at];
    if (held.has(chunk)) hits++;
    else if (held.size === slots) {
      for (;;) {
        const { chunk: farthest, next: use } = heap.pop();
        if (held.get(farthest) !== use) continue;
        held.delete(farthest);
        break;
      }
    }
    held.set(chunk, next[at]);
    heap.push({ chunk, next: next[at] });
  }
  return hits;
}
