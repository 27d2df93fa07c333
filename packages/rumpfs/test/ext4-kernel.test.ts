/**
 * The kernel as the other side: journals that it leaves behind are replayed by us, and ours by it.
 * Where this process may mount images (as root, with loop devices), in long runs.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { allLongIf } from '../../../test/harness/long.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshop = new Workshop();
const folder = mkdtempSync(join(tmpdir(), 'ginit-kernel-'));
const point = join(folder, 'mounted');
mkdirSync(point);
afterAll(() => {
  workshop.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** The reason why the kernel cannot be asked; undefined where it can. */
const mayMount = process.getuid?.() === 0 && existsSync('/dev/loop-control');
const missing = missingTools ?? (mayMount ? undefined : 'mounting by loop devices takes root');

function shell(command: string): { readonly code: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command]);
  return { code: status, output: `${stdout}${stderr}` };
}

/** Mounts an image with the kernel while `action` runs. */
function withKernel(image: string, action: () => void): void {
  expect(shell(`mount -o loop '${image}' '${point}'`)).toEqual({ code: 0, output: '' });
  try {
    action();
  } finally {
    shell(`umount '${point}'`);
  }
}

describe.skipIf(missing)(`ext4 and the kernel ${missing ?? ''}`, () => {
  allLongIf(true);
  const kinds = [
    ['-t', 'ext4', '-b', '4096'],
    ['-t', 'ext4', '-b', '1024', '-O', '^64bit'],
    ['-t', 'ext3', '-b', '1024'],
    ['-t', 'ext4', '-b', '2048', '-O', '^metadata_csum'],
  ];
  test.each(kinds.map((args) => [args.join(' '), args] as const))(
    '%s: each replays the journal of the other',
    { timeout: 300_000 },
    async (_title, args) => {
      const path = join(folder, 'kernel.img');
      const copy = join(folder, 'copy.img');
      writeFileSync(path, workshop.make('32M', args));
      let names: string[] = [];
      withKernel(path, () => {
        const many = `for i in $(seq 1 300); do echo $i > '${point}'/d/file-$i-with-a-rather-long-name; done`;
        shell(`mkdir '${point}'/d; ${many}; sync -f '${point}'; rm '${point}'/d/file-1*`);
        shell(`mv '${point}'/d/file-200-* '${point}'/moved; sync -f '${point}'; cp '${path}' '${copy}'`);
        names = readdirSync(join(point, 'd')).toSorted();
      });
      const theirs = new Uint8Array(readFileSync(copy));
      const reader = await Mounted.start(theirs.slice(), {}, false);
      expect(reader.hypercalls.lines.join()).toMatch(
        /\d+ transactions of the journal were replayed in memory/,
      );
      expect(await reader.list('/d')).toEqual(names);
      await reader.end();
      const fs = await Mounted.start(theirs.slice());
      for (const name of names.slice(0, 40)) await fs.unlink(`/d/${name}`);
      for (let index = 0; index < 60; index += 1) await fs.write(`/d/ours-${index}`, pattern(3000, index));
      await fs.mount.sync();
      writeFileSync(copy, fs.hypercalls.bytes);
      expect(workshop.check(await fs.end())).toBe('');
      withKernel(copy, () => {
        const expected = [
          ...names.slice(40),
          ...Array.from({ length: 60 }, (_unused, index) => `ours-${index}`),
        ];
        expect(readdirSync(join(point, 'd')).toSorted()).toEqual(expected.toSorted());
        expect(same(readFileSync(join(point, 'd', 'ours-7')), pattern(3000, 7))).toBe(true);
      });
      expect(workshop.check(new Uint8Array(readFileSync(copy)))).toBe('');
    },
  );
});
