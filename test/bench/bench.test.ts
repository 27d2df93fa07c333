/** Tests that the benchmarks work and print the line that scripts read. Speed is not tested. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRecord } from '@ginit/core';
import { guestsDirectory } from '../../packages/init/src/command/guests/store.ts';
import { afterAll, describe, expect, test } from 'vitest';
import { cannotMount } from '../harness/fuse-mount.ts';
import { skipIfLong } from '../harness/long.ts';
import { missingOf } from '../harness/programs.ts';
import { ROOT } from '../house/source-files.ts';

const hasGcc = spawnSync('gcc', ['--version']).status === 0;
const severalCpus = cpus().length > 1;
const onLinux = process.platform === 'linux';

function bench(...args: readonly string[]) {
  const script = join(ROOT, 'scripts', 'bench.mjs');
  return spawnSync(process.execPath, [script, ...args, '--as-built'], { cwd: ROOT, encoding: 'utf8' });
}

/**
 * Keys that a benchmark's last line must have; those that need a compiler or a second CPU only
 * where there is one.
 */
const KEYS: Readonly<Record<string, { figures: readonly string[]; ratios: readonly string[] }>> = {
  rpc: {
    figures: [
      'parkedUs',
      'liveUs',
      'processUs',
      'pipelinedOneCpuCallsPerSecond',
      ...(severalCpus ? ['pipelinedCallsPerSecond'] : []),
    ],
    ratios: [
      'parkedVsMessagePort',
      'parkedVsComlink',
      'liveVsMessagePort',
      'processVsChildProcess',
      'processVsSocket',
      ...(hasGcc ? ['parkedVsC'] : []),
      ...(severalCpus ? ['spinVsMessagePort', 'processSpinVsSocket'] : []),
    ],
  },
  bulk: {
    figures: ['4K', '64K', '1M'].flatMap((size) => [`readInPlace${size}OneCpu`, `copiedOut${size}OneCpu`]),
    ratios: ['readInPlaceVsMemcpy64K', 'vsMessagePort64K'],
  },
  signal: {
    figures: ['wakeUpParkedUs', 'roundTripParkedUs', 'mergedSubmitsPerSecondOneCpu'],
    ratios: ['wakeUpVsMessagePort', 'mergedVsMessagePort'],
  },
  spawn: {
    figures: ['threads10Ms', 'threads100Ms', 'process1Ms', ...(onLinux ? ['threadMiB', 'processMiB'] : [])],
    ratios: ['threads10VsWorkers', 'threads100VsWorkers', 'process1VsFork'],
  },
  reconfigure: {
    figures: ['changeMs', 'watchedMs', 'restartMs', 'warmChangeMs', 'wholeMs'],
    ratios: ['changeVsRestart'],
  },
  block: {
    figures: ['ramBlockIops', 'interposerUs', 'file-thread-1Iops'],
    ratios: ['chainVsNodeFs', 'partitionVsNone', ...(severalCpus ? ['chainTwoCoresVsNodeFs'] : [])],
  },
  cache: {
    figures: ['lookupsPerSecond', 'hitsPerSecond', 'missUs'],
    ratios: ['hitsVsNoCache'],
  },
  cluster: {
    figures: [
      'linkRoundTripOneCpuUs',
      'packetMegabytesPerSecond',
      'remoteReadsPerSecond',
      ...(severalCpus ? ['linkRoundTripUs', 'linkMegabytesPerSecond'] : []),
    ],
    ratios: ['latencyVsNats', 'throughputVsNats', 'packetsVsPublish'],
  },
  fs: {
    figures: ['ext2.write', 'ext4.create', 'fat32.readWarm', 'exfat.create'],
    ratios: ['ext2VsNpmExt2fs'],
  },
  fuse: {
    figures: ['ext2.write', 'ext2.readWarm', 'ext2.create'],
    ratios: ['ext2VsFuse2fs'],
  },
  trace: { figures: ['offNs', 'eventNs', 'rpcOffUs', 'rpcOnUs'], ratios: ['rpcOnVsOff'] },
  vmm: {
    figures: ['bootMs', 'v86-virtio.read4Kx8', 'restoreMs', 'idleCpuPercent', 'overheadMiB'],
    ratios: ['virtioVsIde', 'virtioVsIdeCpu'],
  },
};

/** Differences of two figures: in a quick run their order may be reversed. */
const DIFFERENCE = /^(?:jailStart|interposerUs$|miss\w*Us$)/;

/** The numbers in one part of a last line. */
function numbers(part: unknown): Record<string, unknown> {
  if (!isRecord(part)) throw new Error(`not a table of numbers: ${JSON.stringify(part)}`);
  for (const [key, value] of Object.entries(part)) {
    expect(
      Number.isFinite(value) && (Number(value) > 0 || DIFFERENCE.test(key)),
      `${key} is ${String(value)}`,
    ).toBe(true);
  }
  return part;
}

/** A benchmark starts dozens of processes, one after the other. */
const TIMEOUT_MS = 600_000;

/** Dozens of launches each; they stand on the same harness as the others. */
const LONG = [
  'rpc',
  'bulk',
  'spawn',
  'block',
  'cache',
  'cluster',
  'fs',
  'fuse',
  'reconfigure',
  'vmm',
  'trace',
];

/** Why a benchmark cannot run here, if it cannot. */
function missingFor(name: string): string | undefined {
  if (name === 'cluster') return missingOf('nats-server');
  if (name === 'fuse') return cannotMount() ?? missingOf('mke2fs', 'fuse2fs');
  if (name !== 'vmm') return undefined;
  // Its other contenders are left out where QEMU or a BIOS is missing.
  const hasGuest = existsSync(join(guestsDirectory(), 'debian-i686', 'linux'));
  return hasGuest ? missingOf('mke2fs') : 'the guest is not fetched: ginit guests fetch debian-i686';
}

describe.each(Object.entries(KEYS))('the benchmark %s', (name, { figures, ratios }) => {
  test('runs, and its last line has every key with a number', { timeout: TIMEOUT_MS }, (context) => {
    skipIfLong(context, LONG.includes(name));
    context.skip(missingFor(name) !== undefined, missingFor(name));
    const { status, stdout, stderr } = bench(name, '--quick');
    expect(status, stdout + stderr).toBe(0);
    const last: unknown = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    if (!isRecord(last)) throw new Error(`the last line is no object: ${stdout}`);
    expect(Object.keys(last)).toEqual(['bench', 'figures', 'ratios']);
    expect(last['bench']).toBe(name);
    expect(Object.keys(numbers(last['figures']))).toEqual(expect.arrayContaining([...figures]));
    expect(Object.keys(numbers(last['ratios']))).toEqual(expect.arrayContaining([...ratios]));
  });
});

test('without a name the list of benchmarks is printed, and a wrong name is an error', () => {
  const list = bench();
  expect(list.status).toBe(0);
  expect(list.stdout.split('\n').map((line) => line.split(' ')[0])).toEqual([...Object.keys(KEYS), '']);
  const wrong = bench('rcp');
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toContain('no benchmark "rcp"');
});

describe('the benchmark cache replays traces', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-trace-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const uses = Array.from({ length: 400 }, (_, index) => (index * index) % 37);
  const ratios = (content: string | Uint8Array, format: string): unknown => {
    const file = join(directory, `trace.${format}`);
    writeFileSync(file, content);
    const { status, stdout, stderr } = bench('cache', '--trace', file, '--format', format, '--sizes', '5,10');
    expect(status, stderr).toBe(0);
    const result: unknown = JSON.parse(stdout);
    return isRecord(result) ? [result['uses'], result['chunks'], result['hitRatios']] : undefined;
  };

  test('in three formats, which say the same; nobody hits more than the optimum', () => {
    const bytes = Buffer.alloc(4 * uses.length);
    for (const [index, use] of uses.entries()) bytes.writeUInt32BE(use, 4 * index);
    const list = ratios(`# a list\n${uses.join('\n')}\n`, 'list');
    expect(ratios(bytes, 'u32be')).toEqual(list);
    expect(ratios(uses.map((use, index) => `${use} 1 0 ${index}\n`).join(''), 'arc')).toEqual(list);
    if (!Array.isArray(list) || !isRecord(list[2])) throw new Error('no ratios');
    const table = Object.entries(list[2]).map(([name, bySize]) => ({ name, at: Object(bySize) }));
    const optimum = table.find(({ name }) => name === 'belady')?.at;
    expect(table.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['auto', 'lru', 'arc', 's3fifo', 'sieve', 'w-tinylfu']),
    );
    for (const { at } of table) {
      expect(at[5]).toBeLessThanOrEqual(optimum[5]);
      expect(at[5]).toBeLessThanOrEqual(at[10]);
    }
  });

  test.each([
    [['--format', 'tape'], '1\n', '--format takes arc, list, u32be'],
    [['--sizes', '10,many'], '1\n', '--sizes takes numbers of chunks'],
    [[], '1\nx\n', 'trace.bad:2: expected the number of a block, not "x"'],
    // It stands for "no chunk" in a directory.
    [['--format', 'u32be'], Buffer.alloc(8, 0xff), 'trace.bad: number 1: no block is 4294967295'],
  ])('with %j it says what is wrong', (args, content, message) => {
    const file = join(directory, 'trace.bad');
    writeFileSync(file, content);
    const { status, stderr } = bench('cache', '--trace', file, ...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe('a benchmark against another commit', () => {
  const inRepository = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT }).status === 0;

  test.skipIf(!inRepository)(
    'builds that commit, lets both take turns, and compares row by row (skipped outside a git checkout)',
    { timeout: TIMEOUT_MS },
    (context) => {
      skipIfLong(context);
      const { status, stdout, stderr } = bench('signal', '--against', 'HEAD', '--rows', 'parked', '--quick');
      expect(status, stdout + stderr).toBe(0);
      expect(stdout).toContain('ginit, parked (current)');
      expect(stdout).toContain('ginit, parked (other)');
      const last: unknown = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
      if (!isRecord(last)) throw new Error(`the last line is no object: ${stdout}`);
      expect(last['bench']).toBe('signal against');
      expect(Object.keys(numbers(last['ratios']))).toEqual(['parked.roundTripUs']);
    },
  );

  test('says which commit or row there is not', () => {
    const commit = bench('signal', '--against', 'no-such-commit');
    expect(commit.status).toBe(2);
    expect(commit.stderr).toContain('there is no commit "no-such-commit"');
    const pairs = bench('signal', '--against', 'HEAD', '--pairs', 'many');
    expect(pairs.status).toBe(2);
    expect(pairs.stderr).toContain('--pairs takes a whole number');
  });
});
