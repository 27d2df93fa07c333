/** Arenas: what is mapped is shared, what is unmapped costs nothing, and nothing piles up. */
import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  checkMemory,
  closeDescriptor,
  createArena,
  createMemory,
  createReadOnlyMemory,
  futexWake,
  isShared,
  mapMemory,
  SharedMemoryError,
} from 'sharedarraybuffer-polyfill';
import { describe, expect, test } from 'vitest';
import { holdings, holdingsAfter, skipReason, statusKib, systemSharedKib } from './observe.ts';

const MEBIBYTE = 2 ** 20;
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return error instanceof SharedMemoryError ? error.code : `unexpected: ${error}`;
  }
  return 'no error';
};

describe.skipIf(skipReason)(`arenas (${skipReason ?? 'shared memory works here'})`, () => {
  test('two mappings of one memory file show the same bytes; a kept view shows nothing of it', () => {
    const arena = createArena(MEBIBYTE);
    const fd = createMemory(10_000, 'test');
    const [one, other] = [arena.map(fd, 10_000), arena.map(fd, 10_000, { readOnly: true })];
    closeDescriptor(fd);
    const [written, read] = [one.bytes(), other.bytes()];
    written[9_999] = 7;
    expect(read[9_999]).toBe(7);
    expect(isShared(written)).toBe(true);
    other.unmap();
    other.unmap();
    expect(read[9_999]).toBe(0);
    read[9_999] = 9;
    expect(written[9_999]).toBe(7);
    expect(isShared(read)).toBe(false);
    expect(codeOf(() => futexWake(other.words(), 0))).toBe('InvalidArgument');
    one.unmap();
    expect(arena.regionCount).toBe(0);
  });

  test('what a kept view leaves behind is gone when the place is used again', () => {
    const arena = createArena(MEBIBYTE);
    const fd = createMemory(4096, 'test');
    const stale = arena.map(fd, 4096);
    stale.unmap();
    stale.bytes()[0] = 5;
    arena.map(fd, 4096).unmap();
    expect(stale.bytes()[0]).toBe(0);
    closeDescriptor(fd);
  });

  test('an arena that is full says so, mapMemory takes another one', () => {
    const arena = createArena(MEBIBYTE);
    const fd = createMemory(MEBIBYTE, 'test');
    expect(codeOf(() => arena.map(fd, MEBIBYTE))).toBe('LimitExceeded');
    expect(codeOf(() => arena.map(fd, 2 * MEBIBYTE))).toBe('WrongSize');
    expect(codeOf(() => createArena(3 * MEBIBYTE))).toBe('InvalidArgument');
    closeDescriptor(fd);
    const large = createMemory(200 * MEBIBYTE, 'large');
    const regions = [1, 2, 3].map(() => mapMemory(large, 200 * MEBIBYTE));
    closeDescriptor(large);
    expect(new Set(regions.map(({ buffer }) => buffer)).size).toBe(3);
    for (const region of regions) region.unmap();
  });

  test('an arena costs no RLIMIT_DATA', () => {
    const beforeKib = statusKib('VmData');
    const arena = createArena(256 * MEBIBYTE);
    expect(statusKib('VmData') - beforeKib).toBeLessThan(64 * 1024);
    expect(arena.freeBytes).toBeGreaterThan(255 * MEBIBYTE);
  });

  test.each([
    ['has room for it', 512, 256 * MEBIBYTE],
    ['has none either', 0, 'LimitExceeded'],
  ])('below a soft RLIMIT_DATA an arena is made if the hard limit %s, and both stay', (_, moreMib, arena) => {
    const program = fileURLToPath(new URL('bounded-program.mjs', import.meta.url));
    // How much Node maps without an arena depends on its version.
    const soft =
      Number(/\d+/.exec(spawnSync(process.execPath, [program, 'data'], { encoding: 'utf8' }).stdout)) +
      128 * 1024;
    const hard = soft + moreMib * 1024;
    const limits = `ulimit -S -d ${soft} && ulimit -H -d ${hard}`;
    const run = ['-c', `${limits} && exec "$0" "$1"`, process.execPath, program];
    const { stdout, stderr } = spawnSync('sh', run, { encoding: 'utf8', timeout: 30_000 });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ arena, soft: soft * 1024, hard: hard * 1024 });
  });

  test('10,000 cycles leave VmData, mappings and pages flat', () => {
    const arena = createArena(16 * MEBIBYTE);
    const cycle = (): void => {
      const fd = createMemory(MEBIBYTE, 'cycle');
      const region = arena.map(fd, MEBIBYTE);
      closeDescriptor(fd);
      region.bytes().fill(1, 0, 65_536);
      region.unmap();
    };
    for (let i = 0; i < 1000; i++) cycle();
    const before = { ...holdings(), dataKib: statusKib('VmData'), sharedKib: systemSharedKib() };
    for (let i = 0; i < 10_000; i++) cycle();
    const { descriptors, mappings, devShm } = holdingsAfter(before);
    expect({ descriptors, mappings, devShm }).toEqual({
      descriptors: before.descriptors,
      mappings: before.mappings,
      devShm: before.devShm,
    });
    // 10,000 times 64 KiB would be 625 MiB; V8's own heap and other processes move a little.
    expect(statusKib('VmData') - before.dataKib).toBeLessThan(64 * 1024);
    expect(systemSharedKib() - before.sharedKib).toBeLessThan(200 * 1024);
  });

  test('memory that is sealed for reading cannot be had writeable, not even opened again', () => {
    const arena = createArena(MEBIBYTE);
    const { fd, mapped } = createReadOnlyMemory(4096, 'sealed', (file) => arena.map(file, 4096));
    mapped.bytes()[0] = 3;
    checkMemory(fd, 4096, { writeable: false });
    expect(codeOf(() => checkMemory(fd, 4096, { writeable: true }))).toBe('ReadOnly');
    expect(codeOf(() => arena.map(fd, 4096))).toBe('SystemCall');
    const again = openSync(`/proc/self/fd/${fd}`, 'r+');
    expect(codeOf(() => arena.map(again, 4096))).toBe('SystemCall');
    closeSync(again);
    const reader = arena.map(fd, 4096, { readOnly: true });
    mapped.bytes()[0] = 4;
    expect(reader.bytes()[0]).toBe(4);
    expect(fstatSync(fd).size).toBe(4096);
    arena.unmapAll();
    closeDescriptor(fd);
  });
});
