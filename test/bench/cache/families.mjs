/**
 * Families of traces that are made by a seed, each of the shape of some work: lists of chunk numbers.
 * Half of them (`TUNING`) may be looked at while a policy is changed; the others (`HELD_OUT`) only
 * judge it.
 */
import { byShare, Draws, permuted, zipf } from './draws.mjs';

/** Uses of one trace. */
export const USES = 200_000;

/** A list that is filled up to `USES`. */
class Trace {
  #uses = new Uint32Array(USES);
  length = 0;

  get full() {
    return this.length >= USES;
  }

  use(chunk) {
    if (!this.full) this.#uses[this.length++] = chunk;
  }

  run(first, count) {
    for (let chunk = first; chunk < first + count; chunk++) this.use(chunk);
  }

  get uses() {
    return this.#uses;
  }
}

function made(fill) {
  return (seed) => {
    const trace = new Trace();
    fill(trace, new Draws(seed));
    while (!trace.full) throw new Error('a family fills its trace');
    return trace.uses;
  };
}

const loop = (chunks) =>
  made((trace) => {
    while (!trace.full) trace.run(0, chunks);
  });

const popular = (chunks, exponent) =>
  made((trace, draws) => {
    const next = zipf(draws, chunks, exponent);
    const place = permuted(draws, chunks);
    while (!trace.full) trace.use(place[next()]);
  });

/** What is popular moves on: the ranks slide over the chunks. */
const drifting = (chunks, exponent, usesAStep) =>
  made((trace, draws) => {
    const next = zipf(draws, chunks, exponent);
    const place = permuted(draws, 4 * chunks);
    while (!trace.full) trace.use(place[(next() + Math.floor(trace.length / usesAStep)) % (4 * chunks)]);
  });

/** All at once something else is popular. */
const news = (chunks, exponent, usesAStory) =>
  made((trace, draws) => {
    const next = zipf(draws, chunks, exponent);
    let place = permuted(draws, 3 * chunks);
    for (let at = 0; !trace.full; at++) {
      if (at % usesAStory === usesAStory - 1) place = permuted(draws, 3 * chunks);
      trace.use(place[next()]);
    }
  });

/** Popular chunks, and now and then somebody reads a long way; `again` comes back to the same place. */
const scanned = (chunks, exponent, { scan, every, again }) =>
  made((trace, draws) => {
    const next = zipf(draws, chunks, exponent);
    for (let scans = 0; !trace.full; scans++) {
      for (let left = every; left > 0; left--) trace.use(next());
      trace.run(10 * chunks + (again ? 0 : scans * scan), scan);
    }
  });

/** What was used lately is used again: distances in the stack of uses are exponential. */
const recent = (chunks, meanDistance, freshPart) =>
  made((trace, draws) => {
    const stack = Array.from({ length: chunks }, (_, index) => index);
    let fresh = chunks;
    while (!trace.full) {
      const depth = Math.floor(-Math.log(1 - draws.unit()) * meanDistance);
      const at = stack.length - 1 - depth;
      const isFresh = at < 0 || draws.unit() < freshPart;
      const chunk = isFresh ? fresh++ : stack.splice(at, 1)[0];
      if (isFresh) stack.shift();
      stack.push(chunk);
      trace.use(chunk);
    }
  });

/** Half by recency, half by popularity, in places of their own. */
const recentAndPopular = (chunks) =>
  made((trace, draws) => {
    const one = recent(chunks, chunks / 6, 0.02)(draws.integer(2 ** 31));
    const other = popular(2 * chunks, 0.9)(draws.integer(2 ** 31));
    for (let at = 0; !trace.full; at++) trace.use(draws.unit() < 0.5 ? one[at] : 2 ** 20 + other[at]);
  });

/** Each chunk is used a few times in a short while, and never after that; besides popular ones. */
const shortLived = (touches, popularChunks) =>
  made((trace, draws) => {
    const next = zipf(draws, popularChunks, 0.8);
    const open = [];
    let fresh = 2 ** 20;
    while (!trace.full) {
      if (draws.unit() < 0.3) {
        trace.use(next());
        continue;
      }
      if (open.length < 40) open.push({ chunk: fresh++, left: touches });
      const at = draws.integer(open.length);
      trace.use(open[at].chunk);
      if (--open[at].left === 0) open.splice(at, 1);
    }
  });

/** One phase after the other, each of its own kind, again and again. */
const phases = (lengths, kinds) =>
  made((trace, draws) => {
    const parts = kinds.map((kind) => kind(draws.integer(2 ** 31)));
    const at = parts.map(() => 0);
    for (let phase = 0; !trace.full; phase++) {
      const which = phase % parts.length;
      for (let left = lengths; left > 0; left--)
        trace.use(which * 2 ** 24 + parts[which][at[which]++ % USES]);
    }
  });

/** Several clients at a time, each with a kind of its own and as busy as its share says. */
const clients = (shares, kinds) =>
  made((trace, draws) => {
    const parts = kinds.map((kind) => kind(draws.integer(2 ** 31)));
    const at = parts.map(() => 0);
    const which = byShare(draws, shares);
    while (!trace.full) {
      const client = which();
      trace.use(client * 2 ** 24 + parts[client][at[client]++ % USES]);
    }
  });

/** A database: walks of an index, rows, a log that goes round and is read at a checkpoint, and a scan. */
const database = ({ rows, logChunks, scanEvery }) =>
  made((trace, draws) => {
    const next = zipf(draws, rows, 0.85);
    const place = permuted(draws, rows);
    const [LOG, INNER, TABLE] = [2 ** 22, 2 ** 23, 2 ** 24];
    let log = 0;
    for (let query = 1; !trace.full; query++) {
      const row = place[next()];
      trace.use(INNER);
      trace.use(INNER + 1 + Math.floor(row / 200));
      trace.use(TABLE + row);
      if (query % 3 === 0) {
        trace.use(LOG + (log % logChunks));
        if (query % 12 === 0) log++;
      }
      if (query % (12 * logChunks) === 0) trace.run(LOG, logChunks);
      if (query % scanEvery === 0) trace.run(TABLE, Math.floor(rows / 2));
    }
  });

/** A compiler: popular headers, a source once, an object that is written and read by the linker. */
const compile = ({ headers, sources }) =>
  made((trace, draws) => {
    const next = zipf(draws, headers, 1);
    const [SOURCE, OBJECT] = [2 ** 22, 2 ** 23];
    while (!trace.full) {
      for (let source = 0; source < sources; source++) {
        trace.run(SOURCE + source * 4, 1 + draws.integer(4));
        for (let header = 0; header < 30; header++) trace.run(next() * 3, 1 + draws.integer(3));
        trace.run(OBJECT + source * 6, 2 + draws.integer(4));
      }
      for (let object = 0; object < sources; object++) trace.run(OBJECT + object * 6, 5);
    }
  });

/** A machine that starts: short runs in an order that is nearly the same each time; then some work. */
const boots = ({ runs, workUses }) =>
  made((trace, draws) => {
    const order = Array.from({ length: runs }, () => ({
      first: draws.integer(60_000),
      count: 1 + draws.integer(24),
    }));
    const next = zipf(draws, 4000, 1.1);
    while (!trace.full) {
      for (const { first, count } of order) if (draws.unit() > 0.05) trace.run(first, count);
      for (let left = workUses; left > 0; left--) trace.use(2 ** 22 + next());
    }
  });

/** A walk of a tree of files: directories and inodes again and again, contents mostly once. */
const treeWalk = ({ directories, files }) =>
  made((trace, draws) => {
    const [INODES, DATA] = [2 ** 20, 2 ** 22];
    const next = zipf(draws, directories, 0.7);
    while (!trace.full) {
      const directory = next();
      trace.use(directory);
      for (let file = 0; file < files; file++) {
        trace.use(INODES + directory * 4 + Math.floor((4 * file) / files));
        const at = DATA + (directory * files + file) * 8;
        if (draws.unit() < 0.4) trace.run(at, 1 + draws.integer(8));
      }
    }
  });

/** A window of work that slides on, with a use of something older now and then. */
const sliding = (windowChunks, usesAStep) =>
  made((trace, draws) => {
    while (!trace.full) {
      const begin = Math.floor(trace.length / usesAStep);
      const old = draws.unit() < 0.05;
      trace.use(old ? draws.integer(begin + 1) : begin + draws.integer(windowChunks));
    }
  });

/** A log that is written at its end, read from somewhat behind, and searched from the start at times. */
const tail = ({ behind, searchEvery }) =>
  made((trace) => {
    for (let end = 1; !trace.full; end++) {
      trace.use(end);
      trace.use(Math.max(0, end - behind));
      if (end % searchEvery === 0) trace.run(0, Math.min(end, 4000));
    }
  });

const uniform = (chunks) =>
  made((trace, draws) => {
    while (!trace.full) trace.use(draws.integer(chunks));
  });

/** Families that may be looked at while a policy is changed. */
export const TUNING = {
  'a loop of 1,100': loop(1100),
  'Zipf 0.8 over 20,000': popular(20_000, 0.8),
  'Zipf 1 over 8,000 that drifts': drifting(8000, 1, 40),
  'news of Zipf 0.9': news(6000, 0.9, 25_000),
  'Zipf 0.9 and new scans of 3,000': scanned(6000, 0.9, { scan: 3000, every: 9000, again: false }),
  'recent, mean distance 800': recent(6000, 800, 0.02),
  'three touches and never again': shortLived(3, 3000),
  'phases: Zipf, loop, uniform': phases(20_000, [popular(5000, 0.9), loop(2500), uniform(8000)]),
  'clients: Zipf, loop, recent': clients([3, 1, 1], [popular(4000, 1), loop(3000), recent(3000, 300, 0.05)]),
  'a database with a small log': database({ rows: 12_000, logChunks: 120, scanEvery: 9000 }),
  'a compiler of 300 sources': compile({ headers: 900, sources: 300 }),
  'boots, and some work': boots({ runs: 700, workUses: 6000 }),
  'a window of 900 that slides': sliding(900, 12),
};

/** Families that only judge. */
export const HELD_OUT = {
  'a loop of 3,300': loop(3300),
  'Zipf 1.1 over 50,000': popular(50_000, 1.1),
  'Zipf 0.9 over 15,000 that drifts slowly': drifting(15_000, 0.9, 250),
  'news of Zipf 1.1': news(12_000, 1.1, 60_000),
  'Zipf 0.8 and the same scan of 5,000': scanned(8000, 0.8, { scan: 5000, every: 15_000, again: true }),
  'recent, mean distance 2,500': recent(15_000, 2500, 0.01),
  'recent and popular': recentAndPopular(5000),
  'two touches and never again': shortLived(2, 8000),
  'phases: recent, scan, Zipf': phases(33_000, [recent(5000, 700, 0.03), loop(40_000), popular(9000, 1)]),
  'phases: loop, news': phases(9000, [loop(1400), news(3000, 1, 15_000)]),
  'clients: four of Zipf, a scan': clients(
    [2, 2, 1, 1, 2],
    [popular(3000, 1), popular(6000, 0.8), popular(1000, 1.2), popular(9000, 0.7), loop(50_000)],
  ),
  'clients: loops of 700 and 5,000': clients([1, 1], [loop(700), loop(5000)]),
  'a database with a large log': database({ rows: 40_000, logChunks: 800, scanEvery: 30_000 }),
  'a compiler of 1,200 sources': compile({ headers: 2500, sources: 1200 }),
  'boots one after the other': boots({ runs: 400, workUses: 0 }),
  'a walk of a tree': treeWalk({ directories: 300, files: 12 }),
  'a window of 2,500 that slides': sliding(2500, 30),
  'a log and its end': tail({ behind: 600, searchEvery: 9000 }),
  'uniform over 6,000': uniform(6000),
};
