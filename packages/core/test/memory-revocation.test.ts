/**
 * Memory that is taken back: keepers of several processes, here in one, with real memory files
 * between them, and core's part played by a switchboard that says truly who has said what.
 */
import { spawnSync } from 'node:child_process';
import { constants, fstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeDescriptor, createMemory, DescriptorSocket, support } from 'sharedarraybuffer-polyfill';
import { mapBuffer, vacateBuffer } from 'sharedarraybuffer-polyfill/mapped-buffer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LIMITS } from '../src/limits.ts';
import { wordsAt } from '../src/memory/place.ts';
import {
  isRevoked,
  markRevoked,
  MEMORY_STEP_BYTES,
  type MemoryState,
  newMemoryState,
} from '../src/memory/shared-memory.ts';
import { Arrivals } from '../src/platform/domain/keeper/arrivals.ts';
import { MemoryKeeper } from '../src/platform/domain/keeper/memory-keeper.ts';
import { type MemoryTag, writeTag } from '../src/platform/domain/keeper/memory-tag.ts';
import { MemoryPins } from '../src/platform/thread/memory/memory-pins.ts';

const STEP = MEMORY_STEP_BYTES;
const COMPONENT = 7;
const OTHER = 8;

/** Memory as a component has it. */
interface Held {
  readonly file: number;
  readonly view: Uint8Array;
  readonly state: MemoryState | undefined;
  readonly kept: boolean;
}

/** A process with its keeper. */
class Process {
  readonly number: number;
  readonly keeper: MemoryKeeper;
  readonly channels = new Map<number, { readonly socket: DescriptorSocket; readonly arrivals: Arrivals }>();
  readonly freed: number[] = [];
  readonly told: string[] = [];
  readonly #mapped: SharedArrayBuffer[] = [];
  gone = false;

  constructor() {
    this.number = processes.length + 1;
    this.keeper = new MemoryKeeper(this.number, {
      revoked: (serial, targets) => {
        this.told.push(`revoked ${serial} ${targets.join()}`);
        for (const target of targets) this.revoke(serial, target);
      },
      arrived: ({ process, serial }) => {
        const owner = processes[process - 1];
        if (owner && !owner.gone) owner.keeper.arrivedAt(this.number, serial);
        else this.forget(process);
      },
      freed: (_, file) => this.freed.push(file),
      forgotten: () => {},
    });
    processes.push(this);
  }

  /** The supervisor's answer if this process says that memory is to go. */
  revoke(serial: number, target: number): void {
    const other = processes[target - 1];
    if (!other || other === this || other.gone) return;
    const { number } = this;
    other.channels
      .get(number)
      ?.arrivals.revoke((label) => label.process === number && label.serial === serial);
    other.keeper.revoke({ process: number, serial });
  }

  forget(process: number): void {
    this.channels.get(process)?.arrivals.revoke((label) => label.process === process);
    this.keeper.processEnded(process);
  }

  make(steps = 1, byte = 1): Held {
    const held = this.keeper.create(COMPONENT, steps * STEP);
    if (!held) throw new Error('no memory');
    const buffer = this.#map(held.descriptor, held.sizeBytes);
    this.keeper.mapped(COMPONENT, held.file, buffer);
    const view = new Uint8Array(buffer).fill(byte);
    return { file: held.file, view, state: held.state, kept: true };
  }

  send(to: Process, held: Held, options: { sealed?: boolean; once?: boolean } = {}): number | undefined {
    const way = this.channels.get(to.number);
    if (!way) throw new Error('no channel');
    const { sealed = false, once = false } = options;
    const files = [{ file: held.file, sealed, once, sizeBytes: held.view.byteLength }];
    return this.keeper.send(COMPONENT, { socket: way.socket, peerProcess: to.number }, files, 0);
  }

  receive(from: Process, mapping = true): Held {
    const channel = this.channels.get(from.number);
    const [got] = (channel && this.keeper.receive(COMPONENT, channel.arrivals)) ?? [];
    if (!got) throw new Error('nothing has arrived');
    const buffer = mapping
      ? this.#map(got.descriptor, got.sizeBytes, got.sealed)
      : new SharedArrayBuffer(got.sizeBytes);
    if (mapping && got.state) this.keeper.mapped(COMPONENT, got.file, buffer);
    if (mapping && !got.kept) this.keeper.drop(COMPONENT, got.file);
    return { file: got.file, view: new Uint8Array(buffer), state: got.state, kept: got.kept };
  }

  pass(to: Process, held: Held, options: { sealed?: boolean; once?: boolean } = {}): Held {
    expect(this.send(to, held, options)).toBe(1);
    return to.receive(this);
  }

  #map(descriptor: number, sizeBytes: number, copyOnWrite = false): SharedArrayBuffer {
    const buffer = mapBuffer(descriptor, sizeBytes, { copyOnWrite });
    this.#mapped.push(buffer);
    return buffer;
  }

  /** Gives up whatever it maps. */
  unmapAll(): void {
    for (const buffer of this.#mapped) vacateBuffer(buffer);
  }

  /** As if it were killed: it says nothing any more, and maps nothing. */
  die(): void {
    this.gone = true;
    this.unmapAll();
    this.end();
    for (const other of processes) if (!other.gone) other.forget(this.number);
  }

  end(): void {
    for (const { arrivals } of this.channels.values()) arrivals.close();
    this.keeper.ended(COMPONENT);
    this.keeper.ended(OTHER);
  }
}

function connect(a: Process, b: Process): void {
  const [first, second] = DescriptorSocket.descriptors().map((fd) => DescriptorSocket.adopt(fd));
  if (!first || !second) throw new Error('no sockets');
  a.channels.set(b.number, { socket: first, arrivals: new Arrivals(first, b.number) });
  b.channels.set(a.number, { socket: second, arrivals: new Arrivals(second, a.number) });
}

const isZero = ({ view }: Held): boolean => view.every((byte) => byte === 0);
const revoked = ({ state }: Held): boolean => isRevoked(state);
/** Inodes of the memory files that are mapped, once for each mapping. */
const mappedFiles = (): (string | undefined)[] =>
  readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes('/memfd:ginit memory'))
    .map((line) => line.split(/\s+/)[4]);
/** Mappings of this test: those of the tests before it go whenever V8 collects them. */
const mappings = (): number => mappedFiles().filter((file) => !mappedBefore.has(file)).length;
const descriptors = (): string[] =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /^(\/memfd:|socket:)/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  });
/** Descriptors of files that have memory. */
const withMemory = (): number =>
  descriptors().filter((fd) => {
    try {
      return fstatSync(Number(fd)).blocks > 0;
    } catch {
      // That of the directory itself.
      return false;
    }
  }).length;

const processes: Process[] = [];
let before = 0;
let mappedBefore: ReadonlySet<string | undefined> = new Set();
let [owner, forwarder, holder]: Process[] = [];
beforeEach(() => {
  before = descriptors().length;
  mappedBefore = new Set(mappedFiles());
  processes.length = 0;
  [owner, forwarder, holder] = [new Process(), new Process(), new Process()];
  connect(owner, forwarder);
  connect(forwarder, holder);
});
afterEach(() => {
  for (const process of processes) {
    process.end();
    process.unmapAll();
  }
  expect(processes.map(({ keeper }) => keeper.size)).toEqual([0, 0, 0]);
  expect(descriptors().length).toBe(before);
});

const three = (): [Process, Process, Process] => {
  if (!owner || !forwarder || !holder) throw new Error('there are three processes');
  return [owner, forwarder, holder];
};

describe.runIf(support().shared)('memory that its owner frees', () => {
  test.each([false, true])('is gone at once for whoever has it (sealed: %s)', (sealed) => {
    const [a, b] = three();
    const mine = a.make(16, 5);
    const yours = a.pass(b, mine, { sealed });
    if (sealed) yours.view[3] = 9;
    expect(yours.view[2]).toBe(5);
    expect(mappings()).toBe(2);
    expect(a.keeper.free(COMPONENT, mine.file)).toBe(true);
    // Nothing has the file any more, so the kernel has its pages, though both views are there.
    expect(mappings()).toBe(0);
    expect(withMemory()).toBe(0);
    expect([mine, yours].map(revoked)).toEqual([true, true]);
    expect([mine, yours].map(isZero)).toEqual([true, true]);
    yours.view.fill(8);
    expect(isZero(mine)).toBe(true);
    expect([a.keeper.size, b.keeper.size]).toEqual([0, 0]);
  });

  test('is told to nobody if nobody else has it', () => {
    const [a] = three();
    a.keeper.free(COMPONENT, a.make().file);
    expect(a.told).toEqual([]);
  });

  test('is gone for processes that got it from a third one, dead or alive', () => {
    const [a, b, c] = three();
    const [one, two] = [a.make(1, 1), a.make(1, 2)];
    const there = [one, two].map((mine) => b.pass(c, a.pass(b, mine)));
    a.keeper.free(COMPONENT, one.file);
    expect(there.map(revoked)).toEqual([true, false]);
    b.die();
    expect(there.map(isZero)).toEqual([true, false]);
    a.keeper.free(COMPONENT, two.file);
    expect(there.map(isZero)).toEqual([true, true]);
    expect(mappings()).toBe(0);
  });

  test('is gone when it comes to a third process later', () => {
    const [a, b, c] = three();
    const mine = a.make();
    b.send(c, a.pass(b, mine));
    a.keeper.free(COMPONENT, mine.file);
    const late = c.receive(b);
    expect([revoked(late), isZero(late)]).toEqual([true, true]);
    expect(mappings()).toBe(0);
  });

  test('is taken out of the socket if it is on its way', () => {
    const [a, b] = three();
    const [one, two] = [a.make(1, 1), a.make(1, 2)];
    a.send(b, one);
    a.send(b, two);
    a.keeper.free(COMPONENT, one.file);
    expect(withMemory()).toBe(2);
    const [late, good] = [b.receive(a), b.receive(a)];
    expect([late, good].map(revoked)).toEqual([true, false]);
    expect([late, good].map(({ view }) => view[0])).toEqual([0, 2]);
  });

  test.each([false, true])(
    'arrives as memory that is gone if its frame was waiting (sealed: %s)',
    (sealed) => {
      const [a, b, c] = three();
      const mine = a.make(3);
      a.keeper.free(COMPONENT, mine.file);
      const late = a.pass(b, mine, { sealed });
      const later = b.pass(c, late, { sealed });
      for (const got of [late, later]) {
        expect([revoked(got), isZero(got), got.view.byteLength]).toEqual([true, true, 3 * STEP]);
      }
    },
  );

  test('is gone in the own process too, where it has come back to', () => {
    const [a, b] = three();
    const mine = a.make();
    const yours = a.pass(b, mine);
    const back = b.pass(a, yours);
    back.view[0] = 7;
    expect(mine.view[0]).toBe(7);
    const again = a.pass(b, back);
    a.keeper.free(COMPONENT, mine.file);
    expect([mine, yours, back, again].map(isZero)).toEqual([true, true, true, true]);
    expect(mappings()).toBe(0);
  });

  test('keeps its descriptor until its thread has mapped it', () => {
    const [a, b] = three();
    const mine = a.make();
    a.send(b, mine);
    const yours = b.receive(a, false);
    a.keeper.free(COMPONENT, mine.file);
    expect(revoked(yours)).toBe(true);
    const there = descriptors().length;
    b.keeper.mapped(COMPONENT, yours.file, mapBuffer(fileOf(yours), STEP));
    expect(descriptors().length).toBe(there - 1);
    expect(mappings()).toBe(0);
  });

  test('is gone for other components of the processes, and they cannot pass it on', () => {
    const [a, b, c] = three();
    const mine = a.make();
    const yours = a.pass(b, mine);
    b.keeper.lent(COMPONENT, yours.file);
    expect(b.keeper.hold(OTHER, yours.file)).toBe(true);
    // The one that got it has collected its view, and ends. The other one has it still.
    b.keeper.unmapped(COMPONENT, yours.file);
    b.keeper.ended(COMPONENT);
    expect(yours.view[0]).toBe(1);
    a.keeper.free(COMPONENT, mine.file);
    expect(isZero(yours)).toBe(true);
    expect(b.keeper.hold(OTHER, yours.file)).toBe(false);
    expect(revoked(b.pass(c, yours))).toBe(true);
  });
});

/** The one descriptor of a file that is neither mapped nor closed. */
function fileOf({ file }: Held): number {
  const found = descriptors().find((fd) =>
    readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:ginit memory'),
  );
  if (found === undefined) throw new Error(`file ${file} is closed`);
  return Number(found);
}

describe.runIf(support().shared)('when somebody ends', () => {
  test('a component, the memory that it has made is gone everywhere, and memory that it has got stays', () => {
    const [a, b, c] = three();
    const ofA = a.make(1, 1);
    const atB = a.pass(b, ofA);
    const atC = b.pass(c, atB);
    const ofB = b.make(1, 2);
    const fromB = b.pass(c, ofB);
    b.keeper.ended(COMPONENT);
    expect([isZero(fromB), isZero(ofA), isZero(atC)]).toEqual([true, false, false]);
    a.keeper.ended(COMPONENT);
    expect(isZero(atC)).toBe(true);
  });

  test('a process, all memory that it has made is gone, also where it comes from others later', () => {
    const [a, b, c] = three();
    const [one, two] = [a.make(1, 1), a.make(1, 2)];
    const atB = [a.pass(b, one), a.pass(b, two)];
    const atC = b.pass(c, atB[0] ?? one);
    b.send(c, atB[1] ?? two);
    a.send(b, one);
    a.die();
    const [late, queued] = [c.receive(b), b.receive(a)];
    const all = [...atB, atC, late, queued];
    expect(all.map(revoked)).toEqual(all.map(() => true));
    expect(all.map(isZero)).toEqual(all.map(() => true));
    expect(mappings()).toBe(0);
  });

  test('a packet stream keeps its memory for the end that still uses it', () => {
    const [a, b] = three();
    const held = a.keeper.create(COMPONENT, STEP, true);
    if (!held) throw new Error('no memory');
    const view = new Uint8Array(mapBuffer(held.descriptor, STEP)).fill(3);
    const yours = a.pass(b, { ...held, view, kept: false }, { once: true });
    expect([a.keeper.size, yours.state]).toEqual([0, undefined]);
    a.die();
    expect(yours.view[0]).toBe(3);
    b.keeper.drop(COMPONENT, yours.file);
  });
});

describe.runIf(support().shared)('a hostile process', () => {
  test('cannot take back memory that it has only passed on, or never had', () => {
    const [a, b, c] = three();
    const mine = a.make();
    const atB = a.pass(b, mine);
    const atC = b.pass(c, atB);
    for (let serial = 0; serial < 50; serial++) {
      b.revoke(serial, c.number);
      b.revoke(serial, a.number);
      c.revoke(serial, b.number);
    }
    expect([mine, atB, atC].map(revoked)).toEqual([false, false, false]);
    expect(atC.view[0]).toBe(1);
  });

  test('cannot hide from the owner that it has passed memory on, by calling it a packet stream', () => {
    const [a, b, c] = three();
    const mine = a.make();
    const atC = b.pass(c, a.pass(b, mine), { once: true });
    a.keeper.free(COMPONENT, mine.file);
    expect([revoked(atC), isZero(atC)]).toEqual([true, true]);
  });

  test('that claims to have all memory is told what is gone, and nothing is remembered of its claim', () => {
    const [a, b] = three();
    for (let serial = 1; serial < 1000; serial++) a.keeper.arrivedAt(b.number, serial);
    expect(a.told.length).toBe(999);
    expect(a.keeper.size).toBe(0);
  });

  test('that sends more files than may wait loses its channel, and descriptors stay bounded', () => {
    const [a, b] = three();
    const way = a.channels.get(b.number)?.socket;
    const tag: MemoryTag = { index: 0, count: 1, sizeBytes: STEP, sealed: false, once: false };
    const fd = createMemory(STEP, 'ginit memory 1/5');
    let sent = 0;
    const sendOne = (): boolean => way?.send(fd, writeTag(tag)) === true;
    for (let round = 0; round < 40; round++) {
      while (sendOne()) sent++;
      a.revoke(1_000_000 + round, b.number);
    }
    closeDescriptor(fd);
    expect(sent).toBeGreaterThan(LIMITS.memoryWaiting);
    expect(descriptors().length - before).toBeLessThanOrEqual(LIMITS.memoryWaiting + 4);
  });
});

describe.runIf(support().shared)('memory that the host works on', () => {
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

describe.runIf(support().shared)('memory that is detached', () => {
  test('is gone here and stays elsewhere', () => {
    const [a, b] = three();
    const mine = a.make();
    const yours = a.pass(b, mine);
    b.keeper.detach(COMPONENT, yours.file);
    expect([isZero(yours), mine.view[0], b.keeper.size]).toEqual([true, 1, 0]);
    expect(mappings()).toBe(1);
  });

  test('stays if another component has it too, and at its owner', () => {
    const [a, b] = three();
    const mine = a.make();
    const yours = a.pass(b, mine);
    b.keeper.lent(COMPONENT, yours.file);
    b.keeper.detach(COMPONENT, yours.file);
    a.keeper.detach(COMPONENT, mine.file);
    expect([mine.view[0], yours.view[0]]).toEqual([1, 1]);
    a.keeper.free(COMPONENT, mine.file);
  });
});
