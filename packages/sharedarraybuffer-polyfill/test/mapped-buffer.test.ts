/**
 * Memory files as buffers of their own: shared, copied on write, sealed late, and gone with their
 * last buffer.
 */
import { spawnSync } from 'node:child_process';
import { fstatSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import {
  checkMemory,
  closeDescriptor,
  createMemory,
  createOpenMemory,
  mapBuffer,
  mapMemory,
  sealMemory,
  support,
  vacateBuffer,
} from '../src/index.ts';

const STEP = 65_536;
const made: number[] = [];
afterEach(() => {
  for (const fd of made.splice(0)) closeDescriptor(fd);
});

function file(fd: number): number {
  made.push(fd);
  return fd;
}

const mapped = (name: string): number =>
  readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`memfd:${name}`)).length;

describe.runIf(support().shared)('a mapped buffer', () => {
  test('is the memory of the file, whole', () => {
    const fd = file(createMemory(2 * STEP, 'whole'));
    const [one, other] = [mapBuffer(fd, 2 * STEP), mapBuffer(fd, 2 * STEP)];
    expect(one.byteLength).toBe(2 * STEP);
    new Uint8Array(one)[2 * STEP - 1] = 7;
    expect(new Uint8Array(other)[2 * STEP - 1]).toBe(7);
  });

  test('copied on write reads the file, and keeps what is written to itself', () => {
    const fd = file(createOpenMemory(STEP, 'late'));
    const owner = new Uint8Array(mapBuffer(fd, STEP));
    owner[0] = 1;
    sealMemory(fd, { readOnlyForOthers: true });
    const reader = new Uint8Array(mapBuffer(fd, STEP, { copyOnWrite: true }));
    expect(reader[0]).toBe(1);
    owner[0] = 2;
    expect(reader[0]).toBe(2);
    reader[0] = 3;
    expect(owner[0]).toBe(2);
    expect(() => mapBuffer(fd, STEP)).toThrow(/mmap/);
    expect(() => mapMemory(fd, STEP)).toThrow(/mmap/);
  });

  test('of a file that is sealed late passes the check from then on', () => {
    const fd = file(createOpenMemory(STEP, 'late'));
    expect(() => checkMemory(fd, STEP, { writeable: true })).toThrow(/not sealed/);
    sealMemory(fd, { readOnlyForOthers: false });
    checkMemory(fd, STEP, { writeable: true });
    expect(() => sealMemory(fd, { readOnlyForOthers: true })).toThrow(/EPERM/);
  });

  test('is unmapped when nobody has it any more', async () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const fd = file(createMemory(STEP, 'collected'));
    const map = (): void => {
      for (let count = 0; count < 50; count++) new Uint8Array(mapBuffer(fd, STEP))[0] = count;
    };
    const kept = mapBuffer(fd, STEP);
    map();
    expect(mapped('collected')).toBeGreaterThan(10);
    for (let round = 0; round < 20 && mapped('collected') > 1; round++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      collect();
    }
    expect(mapped('collected')).toBe(1);
    expect(new Uint8Array(kept)[0]).toBe(49);
  });

  test('vacated reads zeros, keeps what is written to itself, and holds nothing of the file', () => {
    const fd = file(createMemory(2 * STEP, 'vacated'));
    const [one, other] = [mapBuffer(fd, 2 * STEP), mapBuffer(fd, 2 * STEP)];
    const [view, rest] = [new Uint8Array(one), new Uint8Array(other)];
    view.fill(7);
    vacateBuffer(one);
    expect(view.every((byte) => byte === 0)).toBe(true);
    view.fill(9);
    expect(rest.every((byte) => byte === 7)).toBe(true);
    expect(mapped('vacated')).toBe(1);
    vacateBuffer(other);
    expect(mapped('vacated')).toBe(0);
    expect(rest.every((byte) => byte === 0)).toBe(true);
    expect(view[0]).toBe(9);
    // The file itself has what was written to it, for who has its descriptor.
    expect(fstatSync(fd).blocks).toBe((2 * STEP) / 512);
  });

  test('vacated that was copied on write has forgotten what it had of its own', () => {
    const fd = file(createMemory(STEP, 'vacated'));
    const [owner, reader] = [
      new Uint8Array(mapBuffer(fd, STEP)),
      new Uint8Array(mapBuffer(fd, STEP, { copyOnWrite: true })),
    ];
    owner.fill(1);
    reader[5] = 2;
    vacateBuffer(reader.buffer as SharedArrayBuffer);
    expect([reader[4], reader[5], owner[5]]).toEqual([0, 0, 1]);
  });

  test('vacated does not count where RLIMIT_DATA bounds the process', () => {
    const program = fileURLToPath(new URL('bounded-vacate.mjs', import.meta.url));
    const used = Number(spawnSync(process.execPath, [program, 'data'], { encoding: 'utf8' }).stdout);
    const limit = `ulimit -d ${used + 256 * 1024} && exec "$0" "$1"`;
    const run = spawnSync('sh', ['-c', limit, process.execPath, program], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(run.stderr).toBe('');
    expect(JSON.parse(run.stdout)).toEqual({ zeros: true, small: true });
  });

  test('has whole steps', () => {
    const fd = file(createMemory(STEP, 'steps'));
    expect(() => mapBuffer(fd, 4096)).toThrow(/whole steps/);
    expect(() => mapBuffer(fd, 0)).toThrow(/whole steps/);
  });
});
