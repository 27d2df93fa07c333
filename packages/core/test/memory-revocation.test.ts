/** Memory that is taken back from the processes that have it. */
import { closeDescriptor, createMemory } from 'sharedarraybuffer-polyfill';
import { mapBuffer } from 'sharedarraybuffer-polyfill/mapped-buffer';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../src/limits.ts';
import { type MemoryTag, writeTag } from '../src/platform/domain/keeper/memory-tag.ts';
import {
  COMPONENT,
  descriptors,
  fileOf,
  isZero,
  mappings,
  openedDescriptors,
  OTHER,
  revoked,
  STEP,
  threeProcesses,
  withMemory,
} from './keeper-processes.ts';

const three = threeProcesses();

describe('memory that its owner frees', () => {
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

describe('when somebody ends', () => {
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

describe('a hostile process', () => {
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
    expect(openedDescriptors()).toBeLessThanOrEqual(LIMITS.memoryWaiting + 4);
  });
});

describe('memory that is detached', () => {
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
