/** Tests the parts of the simulator that need no component: chance, order, carriers, disks. */
import { describe, expect, test } from 'vitest';
import { Digest } from '../src/order/digest.ts';
import { inherit, instanceUrl, withoutInstance } from '../src/world/instance-url.ts';
import { Random } from '../src/order/random.ts';
import { Scheduler, type Task } from '../src/order/scheduler.ts';
import { simulatedCarrier } from '../src/world/simulated-carrier.ts';
import { SimulatedHost } from '../src/world/simulated-host.ts';
import { SECTOR_BYTES } from '../src/disk/sector.ts';
import { SimulatedDisk } from '../src/disk/simulated-disk.ts';

const LIMIT_US = Number.POSITIVE_INFINITY;

function run(scheduler: Scheduler, limitUs = LIMIT_US): void {
  for (let next = scheduler.next(limitUs); typeof next !== 'string'; next = scheduler.next(limitUs))
    next.run();
}

describe('chance', () => {
  const numbers = (random: Random): number[] => Array.from({ length: 8 }, () => random.u32());

  test('the same seed and name give the same stream, and others give another one', () => {
    expect(numbers(new Random(7))).toEqual(numbers(new Random(7)));
    expect(numbers(new Random(7).stream('a'))).toEqual(numbers(new Random(7, 'a')));
    const others = [new Random(8), new Random(7, 'a'), new Random(7, 'b'), new Random(7 + 2 ** 32)];
    const all = [new Random(7), ...others].map((random) => numbers(random).join());
    expect(new Set(all).size).toBe(all.length);
  });

  test('numbers below a bound are spread evenly', () => {
    const random = new Random(1);
    const counts = new Map<number, number>();
    for (let i = 0; i < 10_000; i++) {
      const number = random.below(10);
      counts.set(number, (counts.get(number) ?? 0) + 1);
    }
    expect([...counts.keys()].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(200);
  });
});

describe('order', () => {
  const task = (into: string[], name: string): Task => ({
    owner: 1,
    describe: () => name,
    run: () => void into.push(name),
  });

  test('tasks that are ready come in an order that depends on the seed, and every order is possible', () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const done: string[] = [];
      const scheduler = new Scheduler(new Random(seed));
      for (const name of ['a', 'b', 'c']) scheduler.soon(task(done, name));
      run(scheduler);
      orders.add(done.join(''));
    }
    expect(orders.size).toBe(6);
  });

  test('time jumps to the next task, never back, and not beyond the limit', () => {
    const done: string[] = [];
    const scheduler = new Scheduler(new Random(1));
    const random = new Random(2);
    const times = Array.from({ length: 500 }, () => random.below(1_000_000_000));
    let lastUs = 0;
    for (const us of times) {
      const check = (): void => {
        expect(scheduler.nowUs).toBeGreaterThanOrEqual(us);
        expect(scheduler.nowUs).toBeGreaterThanOrEqual(lastUs);
        lastUs = scheduler.nowUs;
        done.push('x');
      };
      scheduler.after(us, { owner: 1, describe: () => '', run: check });
    }
    run(scheduler, 500_000_000);
    expect(done.length).toBe(times.filter((us) => us <= 500_000_000).length);
    run(scheduler);
    expect(done.length).toBe(times.length);
  });

  test('a component that is held has no turn until its time, while others have turns', () => {
    const done: string[] = [];
    const scheduler = new Scheduler(new Random(1));
    scheduler.hold(1, 1_000_000);
    for (const name of ['a', 'b']) {
      const note = (): void => void done.push(`${name} ${scheduler.nowUs >= 1_000_000}`);
      scheduler.soon({ owner: 1, describe: () => name, run: note });
      scheduler.after(10, { owner: 2, describe: () => name, run: note });
    }
    run(scheduler);
    expect(done.toSorted()).toEqual(['a false', 'a true', 'b false', 'b true']);
  });

  test('a cancelled task does not happen', () => {
    const done: string[] = [];
    const scheduler = new Scheduler(new Random(1));
    const cancelled = [scheduler.soon(task(done, 'soon')), scheduler.after(5, task(done, 'later'))];
    for (const scheduled of cancelled) scheduled.cancelled = true;
    scheduler.after(1000, task(done, 'kept'));
    run(scheduler);
    expect(done).toEqual(['kept']);
    expect(scheduler.next(LIMIT_US)).toBe('nothing');
  });
});

describe('carriers', () => {
  function pair(seed: number) {
    const random = new Random(seed);
    const scheduler = new Scheduler(random.stream('order'));
    const ignore = (): void => {};
    const world = {
      scheduler,
      random,
      delayedOnceIn: 3,
      sent: ignore,
      copies: () => 1,
      arrived: ignore,
      closed: ignore,
      describe: () => '',
    };
    const [first, second] = simulatedCarrier(world, 1, 2, false);
    const log: string[] = [];
    second.receive((frame) => void log.push(String(frame[0])));
    second.closed(() => void log.push('closed'));
    first.receive(() => void log.push('answered'));
    return { scheduler, first, second, log };
  }

  test('deliver frames in their order and then report the end', () => {
    for (let seed = 0; seed < 50; seed++) {
      const { scheduler, first, log } = pair(seed);
      for (const value of [1, 2, 3, 4, 5]) first.send(Uint8Array.of(value), []);
      first.close();
      first.send(Uint8Array.of(6), []);
      run(scheduler);
      expect(log).toEqual(['1', '2', '3', '4', '5', 'closed']);
    }
  });

  test('deliver a copy of the frame that was sent', () => {
    const { scheduler, first, log } = pair(1);
    const frame = Uint8Array.of(9);
    first.send(frame, []);
    frame[0] = 1;
    run(scheduler);
    expect(log).toEqual(['9']);
  });

  test('deliver the first frames that a dead component has sent, and nothing to a dead component', () => {
    const arrived = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const { scheduler, first, second, log } = pair(seed);
      for (const value of [1, 2, 3]) first.send(Uint8Array.of(value), []);
      second.send(Uint8Array.of(1), []);
      first.die(new Random(seed, 'fate'));
      run(scheduler);
      expect(log.at(-1)).toBe('closed');
      expect(log.slice(0, -1)).toEqual(['1', '2', '3'].slice(0, log.length - 1));
      arrived.add(log.length - 1);
    }
    expect([...arrived].toSorted()).toEqual([0, 1, 2, 3]);
  });
});

describe('disks', () => {
  const BYTES = 16 * SECTOR_BYTES + 100;
  const base = (): Uint8Array => Uint8Array.from({ length: BYTES }, (_, index) => index % 7);
  const sector = (disk: SimulatedDisk, number: number): number => disk.image()[number * SECTOR_BYTES] ?? -1;
  const filled = (value: number, sectors = 1): Uint8Array =>
    new Uint8Array(sectors * SECTOR_BYTES).fill(value);

  test('read back what was written, and leave the image they started with alone', () => {
    const random = new Random(3);
    const original = base();
    const disk = new SimulatedDisk(original);
    const model = base();
    for (let step = 0; step < 200; step++) {
      const position = random.below(BYTES);
      const bytes = new Uint8Array(random.below(Math.min(3000, BYTES - position + 1))).fill(step);
      disk.write(bytes, position);
      model.set(bytes, position);
      if (random.once(5)) disk.sync(disk.mark);
      const into = new Uint8Array(BYTES - position);
      disk.read(into, position);
      expect(Buffer.compare(into, model.subarray(position))).toBe(0);
    }
    expect(disk.image()).toEqual(model);
    expect(original).toEqual(base());
  });

  test('keep synced sectors at a power cut, and of every other sector the old or the new content', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const disk = new SimulatedDisk(base());
      disk.write(filled(100), 0);
      disk.write(filled(101, 2), SECTOR_BYTES);
      const { mark } = disk;
      disk.write(filled(102), 0);
      disk.sync(mark);
      disk.write(filled(103, 2), SECTOR_BYTES);
      disk.powerCut(new Random(seed), false);
      expect(disk.unsyncedSectors).toBe(0);
      seen.add([0, 1, 2].map((number) => sector(disk, number)).join(' '));
    }
    const possible = [100, 102].flatMap((a) =>
      [101, 103].flatMap((b) => [101, 103].map((c) => `${a} ${b} ${c}`)),
    );
    expect([...seen].toSorted()).toEqual(possible.toSorted());
  });

  test('hold in a torn sector the beginning of the new content and the rest of the old', () => {
    let torn = 0;
    for (let seed = 0; seed < 100; seed++) {
      const disk = new SimulatedDisk(new Uint8Array(SECTOR_BYTES));
      disk.write(filled(1), 0);
      disk.powerCut(new Random(seed), true);
      const text = disk.image().join('');
      expect(text).toMatch(/^1*0*$/);
      if (/^1+0+$/.test(text)) torn++;
    }
    expect(torn).toBeGreaterThan(0);
  });

  test('give a digest that depends on what they hold', () => {
    const digestOf = (value: number): string => {
      const disk = new SimulatedDisk(base());
      disk.write(filled(value), 0);
      const digest = new Digest();
      disk.addTo(digest);
      return digest.value;
    };
    expect(digestOf(1)).toBe(digestOf(1));
    expect(digestOf(1)).not.toBe(digestOf(2));
  });
});

describe('names of modules', () => {
  test('an import inherits the instance, unless it leads to the runtime or to Node', () => {
    const parent = instanceUrl('file:///a/main.mjs', '4');
    const shared = 'file:///core/';
    expect(inherit('file:///a/part.mjs', parent, shared)).toBe(instanceUrl('file:///a/part.mjs', '4'));
    expect(inherit('file:///a/part.mjs?x=1', parent, shared)).toBe('file:///a/part.mjs?x=1&ginit-instance=4');
    expect(inherit('file:///core/index.js', parent, shared)).toBe('file:///core/index.js');
    expect(inherit('node:fs', parent, shared)).toBe('node:fs');
    expect(inherit('file:///a/part.mjs', 'file:///a/main.mjs', shared)).toBe('file:///a/part.mjs');
    expect(withoutInstance(`at ${parent}:3:4`)).toBe('at file:///a/main.mjs:3:4');
  });
});

test('a driver may die after it has closed a file to which it was still writing', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const scheduler = new Scheduler(new Random(seed, 'order'));
    const random = new Random(seed, 'host');
    const disk = new SimulatedDisk(new Uint8Array(4096));
    const host = new SimulatedHost({ scheduler, random, disk: () => disk }, 1);
    const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
    const opening = host.openFile({ path: 'disk', target: '/disk' }, 'rw');
    run(scheduler);
    const file = await opening;
    void file.write(new Uint8Array(512).fill(1), 0).catch(() => {});
    void file.close();
    // One of the two has happened: in half of the cases the file is closed before the write to it
    // has ended.
    const task = scheduler.next(Number.POSITIVE_INFINITY);
    if (typeof task !== 'string') task.run();
    await settle();
    host.die(new Random(seed, 'fate'));
    expect([0, 1]).toContain(disk.image()[0]);
  }
});
