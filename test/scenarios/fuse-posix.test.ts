/**
 * What POSIX promises of files (`test/harness/posix-cases.mjs`), of file systems of ours that are
 * mounted on the host, beside the kernel's own ext4: where both differ, ours is wrong. Where no
 * image can be mounted by the kernel, the file system of the temporary files is asked instead.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cannotMount, FuseMount, imageConfig, mountOf } from '../harness/fuse-mount.ts';
import { Workplace } from '../harness/ginit.ts';
import { allLongIf } from '../harness/long.ts';
import { missingOf, PATH, runProgram } from '../harness/programs.ts';

const NO_MOUNT = cannotMount() ?? missingOf('mke2fs', 'makefs');
const CASES = new URL('../harness/posix-cases.mjs', import.meta.url).pathname;
const env = { ...process.env, PATH };

/** What each case has seen, by its name. */
async function seenIn(directory: string): Promise<Record<string, unknown>> {
  const { status, stdout, text } = await runProgram(process.execPath, [CASES, directory], {
    timeoutMs: 120_000,
  });
  if (status !== 0) throw new Error(text);
  const cases = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return Object.fromEntries(cases.map(({ name, seen }: { name: string; seen: unknown }) => [name, seen]));
}

let place: Workplace;
let oracle: Record<string, unknown>;

/** Asks the kernel's ext4 if it can be mounted. */
async function askKernel(): Promise<Record<string, unknown>> {
  const [image, directory] = [place.path('oracle.img'), place.path('oracle')];
  mkdirSync(directory);
  execFileSync('truncate', ['-s', '64M', image]);
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', image], { env });
  const { status } = await runProgram('mount', ['-o', 'loop', image, directory]);
  try {
    mkdirSync(join(directory, 'cases'));
    return await seenIn(join(directory, 'cases'));
  } finally {
    if (status === 0) execFileSync('umount', [directory], { env });
  }
}

beforeAll(async () => {
  if (NO_MOUNT !== undefined) return;
  place = new Workplace();
  oracle = await askKernel();
}, 60_000);
afterAll(() => place?.[Symbol.dispose]());

const FORMATS: Readonly<Record<string, (image: string) => void>> = {
  ext4: (image) => execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', image, '64M'], { env }),
  ext2: (image) => execFileSync('mke2fs', ['-q', '-F', '-t', 'ext2', image, '64M'], { env }),
  ffs: (image) => {
    mkdirSync(place.path('empty'), { recursive: true });
    const options = ['-t', 'ffs', '-o', 'version=2,bsize=8192,fsize=1024,density=2048'];
    execFileSync('makefs', [...options, '-s', '64m', image, place.path('empty')], { env, stdio: 'ignore' });
  },
};

describe.skipIf(NO_MOUNT !== undefined).each(Object.keys(FORMATS))(
  `POSIX on %s ${NO_MOUNT ?? ''}`,
  (format) => {
    allLongIf(format === 'ext2');

    test('is what the kernel makes of it', async () => {
      FORMATS[format]?.(place.path('disk.img'));
      const mount = mountOf({ attributes: 'allow_other="yes"' });
      await using mounted = await FuseMount.start(place, imageConfig({ mount }), 120_000);
      mkdirSync(join(mounted.path, 'cases'));
      const seen = await seenIn(join(mounted.path, 'cases'));
      expect(Object.keys(oracle).length).toBeGreaterThan(30);
      expect(seen).toEqual(oracle);
      expect((await mounted.stop()).code).toBe(0);
    }, 150_000);
  },
);
