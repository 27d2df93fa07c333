/**
 * Open files of the host: through a ring of io_uring, through libuv's pool, and past the host's
 * cache. Block devices are loop devices, which only root can make.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { support } from 'sharedarraybuffer-polyfill';
import type { HostFile, HostFileOptions } from '../src/runtime/host-access.ts';
import { openNodeFile } from '../src/platform/thread/host-access/node-file.ts';
import { addressOf } from '../src/platform/host/memory-address.ts';
import { IoRing, RING_OPERATION } from '../src/platform/host/io-ring.ts';

const PAGE = 4096;
const PAGES = 64;

const probe = IoRing.open();
const noRing = typeof probe === 'string' ? probe : undefined;
if (typeof probe !== 'string') probe.use().release();

let directory = '';
let image = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-open-'));
  image = join(directory, 'disk.img');
  writeFileSync(image, new Uint8Array(PAGES * PAGE));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (access: 'ro' | 'rw' = 'rw', options: HostFileOptions = {}): Promise<HostFile> =>
  openNodeFile(image, 'disk.img', access, options);

/** Shared memory that begins at a page. */
const sharedPages = (pages: number): Uint8Array => {
  const bytes = new Uint8Array(new SharedArrayBuffer((pages + 1) * PAGE));
  const over = (addressOf(bytes) ?? 0) % PAGE;
  return bytes.subarray((PAGE - over) % PAGE).subarray(0, pages * PAGE);
};

const pattern = (page: number, version: number): Uint8Array =>
  Uint8Array.from({ length: PAGE }, (_, at) => (at * 3 + page * 17 + version * 29 + (at >> 8)) & 255);

/** How many rings, or their bells, this process has. Node has some of its own. */
const descriptors = (kind: 'io_uring' | 'eventfd'): number =>
  readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`) === `anon_inode:[${kind}]`;
    } catch {
      return false;
    }
  }).length;
const rings = (): number => descriptors('io_uring');

describe.each<[string, HostFileOptions]>([
  ['as fast as the host can', {}],
  ['by the pool only', { pool: true }],
  ['past the cache', { direct: true }],
  ['past the cache by the pool only', { direct: true, pool: true }],
])('a file that is opened %s', (_, options) => {
  test('holds what many requests at a time have written, in shared memory and in memory of its own', async () => {
    const step = fc.record({
      page: fc.nat(PAGES - 1),
      count: fc.integer({ min: 1, max: 4 }),
      write: fc.boolean(),
      shared: fc.boolean(),
      skew: fc.constantFrom(0, 0, 0, 512, 100),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 200 }), async (steps) => {
        const file = await open('rw', options);
        const model = new Uint8Array(readFileSync(image));
        const busy = new Map<number, Promise<unknown>>();
        const memory = sharedPages(5 * steps.length);
        const all = steps.map(({ page, count, write, shared, skew }, index) => {
          const first = page * PAGE + skew;
          const bytes = Math.min(count * PAGE, PAGES * PAGE - first);
          const own = memory.subarray(index * 5 * PAGE + skew, index * 5 * PAGE + skew + bytes);
          const place = shared ? own : new Uint8Array(bytes);
          const pages = Array.from({ length: count + 1 }, (__, at) => page + at);
          const before = Promise.all(pages.map((number) => busy.get(number)));
          const work = before.then(async () => {
            const range = model.subarray(first, first + bytes);
            if (write) {
              range.set(pattern(page, index).subarray(0, Math.min(PAGE, bytes)));
              place.set(range);
              await file.write(place, first);
            } else {
              const expected = range.slice();
              await file.read(place, first);
              expect(Buffer.compare(place.slice(), expected)).toBe(0);
            }
          });
          for (const number of pages) busy.set(number, work);
          return work;
        });
        await Promise.all(all);
        await file.sync();
        await file.close();
        expect(Buffer.compare(readFileSync(image), model)).toBe(0);
      }),
      { numRuns: 8 },
    );
  });

  test('takes more requests at a time than a ring has places', async () => {
    const file = await open('rw', options);
    const memory = sharedPages(1);
    memory.set(pattern(5, 1));
    await file.write(memory, 5 * PAGE);
    const ends = Array.from({ length: 1500 }, () => file.read(memory, 5 * PAGE));
    await Promise.all(ends);
    expect(Buffer.compare(memory.slice(), pattern(5, 1))).toBe(0);
    await file.close();
  });

  test('fails a request that goes beyond its end, and only that', async () => {
    const file = await open('ro', options);
    const memory = sharedPages(4);
    const ends = [0, PAGES - 1, PAGES - 2].map((page) =>
      file.read(memory.subarray(0, 2 * PAGE), page * PAGE),
    );
    const settled = await Promise.allSettled(ends);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(settled[1]).toMatchObject({
      reason: { code: 'InputOutput', message: `file "disk.img" ends at byte ${PAGES * PAGE}` },
    });
    await file.close();
  });

  test('fails a write if it is open for reading only', async () => {
    const file = await open('ro', options);
    await expect(file.write(sharedPages(1), 0)).rejects.toMatchObject({ code: 'Closed' });
    expect(await file.zero(0, PAGE)).toBe(false);
    expect(await file.discard(0, PAGE)).toBe(false);
    await file.close();
  });

  test('closes after what is under way, and begins nothing more', async () => {
    const file = await open('rw', options);
    const memory = sharedPages(32).fill(9);
    const writes = Array.from({ length: 32 }, (__, page) =>
      file.write(memory.subarray(page * PAGE, (page + 1) * PAGE), page * PAGE),
    );
    await file.close();
    await Promise.all(writes);
    expect(
      readFileSync(image)
        .subarray(0, 32 * PAGE)
        .every((byte) => byte === 9),
    ).toBe(true);
    await expect(file.read(memory, 0)).rejects.toMatchObject({ code: 'Closed' });
    await expect(file.sync()).rejects.toMatchObject({ code: 'Closed' });
    await expect(file.size()).rejects.toMatchObject({ code: 'Closed' });
    await file.close();
  });

  test('makes zeros and gives space back without changing its size', async () => {
    writeFileSync(image, new Uint8Array(PAGES * PAGE).fill(1));
    const file = await open('rw', options);
    await file.sync();
    const before = statSync(image).blocks;
    const zeroed = await file.zero(PAGE, 3 * PAGE);
    const discarded = await file.discard(32 * PAGE, 32 * PAGE);
    await file.sync();
    const content = readFileSync(image);
    expect(content.length).toBe(PAGES * PAGE);
    if (zeroed) expect(content.subarray(PAGE, 4 * PAGE).every((byte) => byte === 0)).toBe(true);
    if (discarded) expect(statSync(image).blocks).toBeLessThanOrEqual(before - 32 * 8);
    expect(content[0]).toBe(1);
    expect(content[4 * PAGE]).toBe(1);
    if (process.platform === 'linux' && support().shared) expect([zeroed, discarded]).toEqual([true, true]);
    await file.close();
  });

  test('can be given another size, and tells when somebody else has done so', async () => {
    const file = await open('rw', options);
    const changes: number[] = [];
    let told = (): void => {};
    const change = (): Promise<void> => new Promise((resolve) => (told = resolve));
    const end = file.onResized(() => {
      void file.size().then((size) => {
        changes.push(size);
        told();
      });
    });
    await file.size();
    const grown = change();
    await file.resize(2 * PAGES * PAGE);
    await grown;
    const shrunk = change();
    truncateSync(image, PAGE);
    await shrunk;
    expect(changes).toEqual([2 * PAGES * PAGE, PAGE]);
    end();
    await file.close();
  });
});

describe.skipIf(noRing !== undefined)(`a ring${noRing ? ` (skipped: ${noRing})` : ''}`, () => {
  test('lets go of the thread that waits for its bell when the last request is over, whoever noticed that', async () => {
    const before = descriptors('eventfd');
    const fifo = join(directory, 'fifo');
    spawnSync('mkfifo', [fifo]);
    const descriptor = openSync(fifo, 'r+');
    const ring = IoRing.open();
    if (typeof ring === 'string') throw new Error(ring);
    ring.use();
    const byte = (operation: 22 | 23): Promise<number> => {
      const memory = sharedPages(1).subarray(0, 1);
      return new Promise((done) => ring.submit({ operation, descriptor, position: 0, memory, done }));
    };
    const reading = byte(RING_OPERATION.read);
    // It is not complete at once, so the bell is listened to. The write completes it while the bell
    // is off, because the kernel is being asked at that moment.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await Promise.all([reading, byte(RING_OPERATION.write)])).toEqual([1, 1]);
    ring.release();
    await expect.poll(() => descriptors('eventfd')).toBe(before);
    closeSync(descriptor);
  });

  test('completes the first of several large requests before the kernel begins with the last', async () => {
    writeFileSync(image, new Uint8Array(PAGES * PAGE).fill(1));
    const file = await open('ro');
    const memories = Array.from({ length: 3 }, () => sharedPages(PAGES));
    const lastBytes = (): (number | undefined)[] => memories.map((memory) => memory.at(-1));
    const [first, ...others] = memories.map((memory) => file.read(memory, 0));
    await first;
    expect(lastBytes()).toEqual([1, 0, 0]);
    await Promise.all(others);
    expect(lastBytes()).toEqual([1, 1, 1]);
    await file.close();
  });

  test('is there while a file uses it', async () => {
    const [before, bells] = [rings(), descriptors('eventfd')];
    const files = [await open('ro'), await open('ro')];
    const memory = sharedPages(1);
    await Promise.all(files.map((file) => file.read(memory, 0)));
    expect(rings()).toBe(before + 1);
    await files[0]?.close();
    expect(rings()).toBe(before + 1);
    await files[1]?.close();
    expect(rings()).toBe(before);
    const again = await open('ro');
    await again.read(memory, 0);
    expect(rings()).toBe(before + 1);
    await again.close();
    expect(rings()).toBe(before);
    await expect.poll(() => descriptors('eventfd')).toBe(bells);
  });

  test('is not made for a file that shall use the pool, nor for memory that is not shared', async () => {
    const before = rings();
    const pool = await open('ro', { pool: true });
    await pool.read(sharedPages(1), 0);
    const file = await open('ro');
    await file.read(new Uint8Array(PAGE), 0);
    expect(rings()).toBe(before);
    await pool.close();
    await file.close();
  });

  test('completes requests of files that the kernel refuses, each with its error', async () => {
    const ring = IoRing.open();
    if (typeof ring === 'string') throw new Error(ring);
    ring.use();
    const descriptor = openSync(image, 'r');
    const memory = sharedPages(1);
    const result = (number: number): Promise<number> =>
      new Promise((done) => ring.submit({ operation: 22, descriptor: number, position: 0, memory, done }));
    expect(await Promise.all([result(descriptor), result(1_000_000), result(descriptor)])).toEqual([
      PAGE,
      -9,
      PAGE,
    ]);
    closeSync(descriptor);
    ring.release();
    expect(ring.closed).toBe(true);
  });
});

const loop = spawnSync('losetup', ['--find']);
describe.skipIf(loop.status !== 0)('a block device (needs loop devices)', () => {
  const attach = (): string => {
    const { status, stdout, stderr } = spawnSync('losetup', ['--find', '--show', image], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  };

  test.each<[string, HostFileOptions]>([
    ['through the cache', {}],
    ['past it', { direct: true }],
  ])('has its real size, is read, written, zeroed and trimmed %s, and may grow', async (_, options) => {
    const device = attach();
    try {
      const file = await openNodeFile(device, 'disk', 'rw', options);
      expect(file.sizeBytes).toBe(PAGES * PAGE);
      const memory = sharedPages(2).fill(5);
      await file.write(memory, 10 * PAGE);
      await file.sync();
      expect(readFileSync(image)[10 * PAGE]).toBe(5);
      expect(await file.zero(10 * PAGE, PAGE)).toBe(true);
      await file.read(memory, 10 * PAGE);
      expect([memory[0], memory[PAGE]]).toEqual([0, 5]);
      expect(await file.discard(11 * PAGE, PAGE)).toBe(true);
      await expect(file.resize(PAGE)).rejects.toMatchObject({ code: 'Unsupported' });
      truncateSync(image, 2 * PAGES * PAGE);
      spawnSync('losetup', ['--set-capacity', device]);
      expect(await file.size()).toBe(2 * PAGES * PAGE);
      await file.close();
    } finally {
      spawnSync('losetup', ['--detach', device]);
    }
  });
});
