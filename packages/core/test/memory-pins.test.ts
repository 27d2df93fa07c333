/** Memory that is taken back while the host works on it. */
import { spawnSync } from 'node:child_process';
import { constants, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapBuffer, vacateBuffer } from 'sharedarraybuffer-polyfill/mapped-buffer';
import { describe, expect, test } from 'vitest';
import { wordsAt } from '../src/memory/place.ts';
import { markRevoked, newMemoryState } from '../src/memory/shared-memory.ts';
import { MemoryPins } from '../src/platform/thread/memory/memory-pins.ts';
import {
  COMPONENT,
  fileOf,
  type Held,
  isZero,
  mappings,
  type Process,
  revoked,
  STEP,
  threeProcesses,
} from './keeper-processes.ts';

const three = threeProcesses();

describe('memory that the host works on', () => {
  /** A thread of a process that has the host read into memory. */
  function thread(process: Process, held: Held) {
    const unpinned: number[] = [];
    const pins = new MemoryPins(wordsAt(process.keeper.addPins(COMPONENT)), (file) => {
      unpinned.push(file);
      process.keeper.unpinned(file);
    });
    const { file, state, view } = held;
    pins.know({ buffer: view.buffer as SharedArrayBuffer, file, state });
    return { pins, unpinned };
  }
  const slow = () => {
    let finish: () => void = () => {};
    const end = new Promise<void>((resolve) => (finish = resolve));
    return { finish, end };
  };

  test('is given up when the last operation has ended, and its data goes nowhere else', async () => {
    const [a, b] = three();
    const mine = a.make(1, 1);
    const yours = a.pass(b, mine);
    const { pins, unpinned } = thread(b, yours);
    const [first, second] = [slow(), slow()];
    const done = [first, second].map(({ end }) => pins.during(yours.view, () => end));
    // Our own side is done at once; the memory is there for as long as the host works on it.
    expect(a.keeper.free(COMPONENT, mine.file)).toBe(true);
    expect([isZero(mine), revoked(yours), isZero(yours)]).toEqual([true, true, false]);
    await expect(pins.during(yours.view, async () => 1)).rejects.toMatchObject({ code: 'Revoked' });
    first.finish();
    await done[0];
    yours.view.fill(77);
    expect([b.keeper.revoking, yours.view[9]]).toEqual([1, 77]);
    second.finish();
    await Promise.all(done);
    expect([b.keeper.revoking, isZero(yours), unpinned.length]).toEqual([0, true, 1]);
    await expect(pins.during(yours.view, async () => 1)).rejects.toMatchObject({ code: 'Revoked' });
    expect(mappings()).toBe(0);
  });

  test('gets the late bytes of a real read from a slow pipe in the old pages only', async () => {
    const [a, b] = three();
    const directory = mkdtempSync(join(tmpdir(), 'ginit-pins-'));
    const path = join(directory, 'pipe');
    spawnSync('mkfifo', [path]);
    const pipe = await open(path, constants.O_RDWR);
    try {
      const mine = a.make(1, 1);
      const yours = a.pass(b, mine);
      const spy = new Uint8Array(mapBuffer(fileOf(mine), STEP));
      const { pins } = thread(b, yours);
      const read = pins.during(yours.view, () => pipe.read(yours.view, 0, 1000, null));
      a.keeper.free(COMPONENT, mine.file);
      const next = a.make(1, 2);
      await pipe.write(new Uint8Array(1000).fill(55));
      expect((await read).bytesRead).toBe(1000);
      expect([spy[0], spy[999], spy[1000]]).toEqual([55, 55, 1]);
      expect([isZero(yours), isZero(mine), next.view.every((byte) => byte === 2)]).toEqual([
        true,
        true,
        true,
      ]);
      vacateBuffer(spy.buffer);
      expect(mappings()).toBe(1);
    } finally {
      await pipe.close();
      rmSync(directory, { recursive: true });
    }
  });

  test('of the owner itself is freed when its last operation has ended', async () => {
    const [a] = three();
    const mine = a.make(1, 1);
    const { pins } = thread(a, mine);
    const { finish, end } = slow();
    const done = pins.during(mine.view, () => end);
    expect(a.keeper.free(COMPONENT, mine.file)).toBe(false);
    expect(a.freed).toEqual([]);
    finish();
    await done;
    expect(a.freed).toEqual([mine.file]);
    expect(isZero(mine)).toBe(true);
  });

  test('is given up when the thread has ended, however many operations it had under way', () => {
    const [a, b] = three();
    const mine = a.make(1, 1);
    const yours = a.pass(b, mine);
    b.keeper.lent(COMPONENT, yours.file);
    const { pins } = thread(b, yours);
    void pins.during(yours.view, () => new Promise(() => {}));
    a.keeper.free(COMPONENT, mine.file);
    expect(isZero(yours)).toBe(false);
    b.keeper.ended(COMPONENT);
    expect([isZero(yours), b.keeper.revoking]).toEqual([true, 0]);
  });

  test('of a packet stream, which the thread itself takes back, goes after the last operation without the keeper', async () => {
    const [a] = three();
    const { pins, unpinned } = thread(a, a.make());
    const stream = { buffer: new SharedArrayBuffer(64), file: 1_000_000, state: newMemoryState() };
    let gone = 0;
    pins.know(stream, () => gone++);
    const { finish, end } = slow();
    const done = pins.during(new Uint8Array(stream.buffer, 8, 8), () => end);
    expect(pins.busy(stream.buffer)).toBe(true);
    markRevoked(stream.state);
    expect(gone).toBe(0);
    finish();
    await done;
    expect([gone, unpinned.length, pins.busy(stream.buffer)]).toEqual([1, 0, false]);
  });

  test('waits for a place on the board if all are taken', async () => {
    const [a] = three();
    const board = new Int32Array(new SharedArrayBuffer(3 * 4));
    const pins = new MemoryPins(board, () => {});
    const pieces = [a.make(), a.make(), a.make()];
    const works = pieces.map(({ file, view, state }) => {
      pins.know({ buffer: view.buffer as SharedArrayBuffer, file, state });
      const work = slow();
      let begun = false;
      const done = pins.during(view, () => {
        begun = true;
        return work.end;
      });
      return { ...work, done, begun: () => begun };
    });
    expect([...board]).toEqual([2, pieces[0]?.file, pieces[1]?.file]);
    expect(works.map(({ begun }) => begun())).toEqual([true, true, false]);
    works[0]?.finish();
    await works[0]?.done;
    await new Promise((resolve) => setImmediate(resolve));
    expect(works[2]?.begun()).toBe(true);
    for (const { finish } of works) finish();
    await Promise.all(works.map(({ done }) => done));
    expect([...board]).toEqual([2, 0, 0]);
  });
});
