/** The engine that a machine gets. */
import { expect, test } from 'vitest';
import { gzipSync } from 'node:zlib';
import { ConfigNode, readConfig } from '@ginit/core/config';
import type { HostGrantFact } from '@ginit/core/host';
import { chooseEngine } from '../src/machine/choose-engine.ts';
import { VMM_CONFIG } from '../src/machine/schema.ts';
import { bzImageOf, Program } from './tiny-guest.ts';

const SMALL = bzImageOf(gzipSync(new Program().halt().kernel()));
const LARGE = bzImageOf(gzipSync(new Program().halt().kernel()), { xloadflags: 1 });
const ZSTD = bzImageOf(Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd]));
const QEMU: readonly HostGrantFact[] = [{ kind: 'program', path: '/usr/bin/qemu', access: 'rw' }];
const GIBIBYTE = 2 ** 30;

interface Wanted {
  readonly engine?: string;
  readonly processors?: number;
  readonly kernel?: Uint8Array;
  readonly freeBytes?: number;
  readonly grants?: readonly HostGrantFact[];
}

function choose({
  engine = 'auto',
  processors = 1,
  kernel = SMALL,
  freeBytes = GIBIBYTE,
  grants = [],
}: Wanted) {
  const { make } = ConfigNode;
  const parsed = make('config', { engine }, [
    make('kernel', { rom: 'linux' }),
    make('cpu', { count: processors }),
  ]);
  const config = readConfig(parsed, VMM_CONFIG);
  return chooseEngine(config, { kernel, processors, freeBytes }, grants);
}

test('a guest that v86 can run gets v86, also if QEMU is there', () => {
  expect(choose({})).toEqual({ name: 'v86', why: expect.stringContaining('one processor of 32 bits') });
  expect(choose({ grants: QEMU }).name).toBe('v86');
});

test.each([
  ['64 bits', { kernel: LARGE }, /64 bits/],
  ['several processors', { processors: 3 }, /it has 3 processors/],
  ['more memory', { freeBytes: 4 * GIBIBYTE }, /4096 MiB, more than the 2047/],
  ['a kernel that is packed otherwise', { kernel: ZSTD }, /packed by zstd/],
  ['it by name', { engine: 'qemu' }, /the config wants it/],
])('a guest that needs %s gets QEMU, and hears why', (_, wanted, why) => {
  expect(choose({ ...wanted, grants: QEMU })).toEqual({
    name: 'qemu',
    program: '/usr/bin/qemu',
    why: expect.stringMatching(why),
  });
});

test('a guest that v86 can run in less memory does so, if there is no QEMU', () => {
  expect(choose({ freeBytes: 4 * GIBIBYTE }).name).toBe('v86');
});

test.each([
  ['QEMU without a grant', { engine: 'qemu' }, /program is not granted: .*<program path=.*apt install/],
  ['64 bits without a grant', { kernel: LARGE }, /its kernel is one for 64 bits.*apt install/],
  ['two processors of v86', { engine: 'v86', processors: 2 }, /v86 has 1 processor; the engine qemu/],
  ['too many processors', { processors: 65, grants: QEMU }, /qemu has 64 processors at most/],
])('%s is one error with its place', (_, wanted, reason) => {
  expect(() => choose(wanted)).toThrow(reason);
});
