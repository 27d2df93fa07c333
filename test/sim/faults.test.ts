/** Tests faults of disks and of memory: a component meets what the real platform would do to it. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

const start = (name: string, more = ''): string =>
  `<start name="${name}"> <binary name="./${name}.mjs"/> <exit propagate="yes"/> ${more} </start>`;

function component(name: string, body: string): void {
  place.write(
    `${name}.mjs`,
    `import { component } from '${CORE_URL}'; import { Block, BlockClient } from '${CORE_URL}/block';
    export default component(async (env) => {\n${body}\n});`,
  );
}

async function simulate(starts: string, plan: string, ...args: string[]): Promise<FinishedRun> {
  place.write('config.xml', systemConfig(starts));
  place.write('plan.xml', `<faults> ${plan} </faults>`);
  return place.simulate('--log', '--faults', 'plan.xml', ...args, 'config.xml');
}

const BLOCKS = 64;
const DISK = `<start name="disk" ram="8M"> <binary name="file_block"/> <provides> <service name="Block"/> </provides>
  <host> <file path="disk.img" access="rw"/> </host> <config file="disk.img" writeable="yes"/> </start>`;

/**
 * Writes numbered blocks, then reads them until one is not as it was written or the rounds are
 * over.
 */
function copyReader(): void {
  place.write('disk.img', new Uint8Array(BLOCKS * 512));
  component(
    'reader',
    `const disk = await BlockClient.connect(env);
    const bytes = new Uint8Array(512);
    const failed = (what) => (error) => env.log(what + ' failed: ' + error.code);
    for (let round = 0; round < 6; round++) {
      for (let block = 0; block < ${BLOCKS}; block++) await disk.write(block, 1, bytes.fill(block)).catch(failed('write'));
      await disk.sync().catch(failed('sync'));
      for (let block = 0; block < ${BLOCKS}; block++) {
        bytes.fill(0xee);
        await disk.read(block, 1, bytes).catch(failed('read'));
        const wrong = bytes.findIndex((byte) => byte !== block);
        if (wrong >= 0) await env.log('block ' + block + ' has ' + bytes[wrong] + ' at ' + wrong);
      }
    }
    env.exit(0);`,
  );
}

test.each(['read', 'write', 'sync'])('a planned %s error happens once', async (of) => {
  copyReader();
  const run = await simulate(DISK + start('reader'), `<io-error of="${of}" within="600"/>`);
  expect(run.stderr).toContain(`fault 1: the next ${of} will fail of ${place.path('disk.img')}`);
  expect(run.stdout).toMatch(
    new RegExp(`\\[init -> disk\\] Error: ${of} of \\d+ blocks .*InputOutput \\(EIO\\)`),
  );
  const failures = run.lines.filter((line) => line.startsWith(`[init -> reader] ${of} failed: InputOutput`));
  // A SYNC that has failed is never followed by one that succeeds.
  expect(failures.length).toBeGreaterThanOrEqual(1);
  if (of !== 'sync') expect(failures.length).toBe(1);
  expect(run.code, run.stderr.slice(-500)).toBe(0);
});

test('a bit that flips on its way is right at the next read; a bit that flips where it is stored stays wrong', async () => {
  copyReader();
  const wrong = async (at: string): Promise<string[]> => {
    const run = await simulate(DISK + start('reader'), `<corrupt at="${at}" within="600"/>`);
    // This also shows that the check of Block sessions ignores a disk that lies on demand.
    expect(run.code, run.stderr.slice(-500)).toBe(0);
    expect(run.stderr).toMatch(/fault 1: a bit of sector \d+ (has flipped|flips on its way) of /);
    return run.lines.filter((line) => line.startsWith('[init -> reader] block'));
  };
  expect(await wrong('read')).toHaveLength(1);
  // The block is wrong until it is written again.
  expect(await wrong('rest')).toHaveLength(1);
});

test('a bit that flipped where it is stored is read that way until it is written, and is in the image at the end', async () => {
  place.write('disk.img', new Uint8Array(BLOCKS * 512));
  component(
    'reader',
    `const disk = await BlockClient.connect(env);
    const bytes = new Uint8Array(512);
    let flipped = 0;
    for (let round = 0; round < 200; round++) {
      await disk.read(7, 1, bytes);
      if (bytes.some((byte) => byte !== 0)) flipped++;
    }
    await env.log('flipped ' + (flipped > 1)); env.exit(0);`,
  );
  const run = await simulate(DISK + start('reader'), '<corrupt within="600"/>', '--images', 'after');
  expect(run.stdout).toContain('[init -> reader] flipped true');
  const image = readFileSync(place.path('after/disk.img'));
  const bits = image.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  expect(bits).toBe(1);
});

test.each(['read', 'write'])('a misdirected %s goes to another sector, once', async (of) => {
  copyReader();
  const run = await simulate(DISK + start('reader'), `<misdirect of="${of}" within="600"/>`);
  const [, from, to] = /fault 1: misdirected from sector (\d+) to (\d+) of /.exec(run.stderr) ?? [];
  expect(from).not.toBe(to);
  const wrong = run.lines.filter((line) => line.startsWith('[init -> reader] block'));
  if (of === 'read') expect(wrong).toEqual([`[init -> reader] block ${from} has ${to} at 0`]);
  else expect(wrong.length).toBeLessThanOrEqual(2);
  expect(run.code, run.stderr.slice(-500)).toBe(0);
});

test('a full heap ends the whole process, and its component is named', async () => {
  component('a', 'env.timer.every(1000, () => {});');
  component('b', 'env.timer.every(1000, () => {});');
  component('last', 'await env.timer.sleep(5000); env.exit(7);');
  const again = '<restart max="3" period_s="100"/>';
  const starts =
    start('a', again) + start('b', again) + start('last').replace('">', '" isolation="process">');
  const texts: string[] = [];
  for (const seed of ['1', '2', '3', '4', '5', '6']) {
    const run = await simulate(starts, '<out-of-memory component="init -> a" within="200"/>', '--seed', seed);
    expect(run.code, run.stderr.slice(-500)).toBe(7);
    texts.push(run.stderr);
  }
  const all = texts.join('');
  expect(all).toContain('fault 1: the heap of [init -> a] is full');
  expect(all).toContain('[init -> a] crashed: its heap is full (raise heap= in its start node)');
  expect(all).toMatch(/\[init -> b\] is gone: its process \d was brought down by \[init -> a\]/);
});

test.each(['ram', 'caps'])('a planned refusal of an allocation of %s happens once', async (of) => {
  component(
    'one',
    `for (let tries = 0; tries < 300; tries++) {
      try { await env.ram.free(await env.ram.allocate(4096)); } catch (error) { await env.log('refused: ' + error.code); }
    }
    env.exit(0);`,
  );
  const run = await simulate(start('one'), `<out-of-quota component="init -> one" of="${of}" within="600"/>`);
  expect(run.stderr).toContain(`fault 1: the next allocation of ${of} by [init -> one] will be refused`);
  expect(run.lines.filter((line) => line.includes('refused'))).toEqual([
    `[init -> one] refused: OUT_OF_${of.toUpperCase()}`,
  ]);
  expect(run.code, run.stderr.slice(-500)).toBe(0);
});
