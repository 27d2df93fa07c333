/**
 * A component that opens a Block session and mounts what is on it itself, by `mountSession` of
 * `@ginit/rumpfs/session`, without a File_system server. e2fsck and debugfs are the judges.
 */
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DiskImage, missingTools, writeTree } from '../harness/disk-image.ts';
import { leftOut, skipIfLong } from '../harness/long.ts';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

const RUMPFS = fileURLToPath(new URL('../../packages/rumpfs', import.meta.url));

/** Reads what is there, writes more than its memory holds, and reads that after it mounted again. */
const KEEPER = `import { component } from '${CORE_URL}';
import { Block, BlockClient } from '${CORE_URL}/block';
import { mountSession } from '@ginit/rumpfs/session';
export default component({ requires: [Block] }, async (env) => {
  const disk = await BlockClient.connect(env);
  const options = {
    timer: env.timer,
    log: (line) => void env.log(line),
    memoryBytes: 512 << 10,
    readOnly: env.config.node.value('read_only') === 'yes',
  };
  const bytes = new Uint8Array(3 << 19).map((_, index) => (index * 7 + (index >> 11)) & 0xff);
  const fs = await mountSession(disk, options);
  await env.log(await fs.readFile('/hello.txt', 'utf8'));
  try {
    await fs.mkdir('/made/deep', { recursive: true });
    await fs.writeFile('/made/deep/big', bytes);
    await fs.rename('/hello.txt', '/made/moved');
    await fs.writeFile('/full', new Uint8Array(8 << 20)).catch((error) => env.log(error.code));
    await fs.rm('/full');
  } catch (error) {
    await env.log(error.code);
  }
  await fs.unmount();
  const again = await mountSession(disk, options);
  await env.log((await again.readdir('/')).sort().join(' '));
  const big = await again.readFile('/made/deep/big').catch((error) => error.code);
  await env.log(typeof big === 'string' ? big : String(Buffer.compare(big, bytes)));
  await again.unmount();
  env.exit(0);
});`;

function config(isolation: string, writeable: boolean): string {
  const answer = writeable ? 'yes' : 'no';
  return systemConfig(`
  <start name="disk" ram="8M">
    <binary name="file_block"/>
    <provides> <service name="Block"/> </provides>
    <host> <file path="disk.img" access="${writeable ? 'rw' : 'ro'}"/> </host>
    <config file="disk.img" block_size="512" writeable="${answer}"/>
  </start>
  <start name="partitions" ram="8M">
    <binary name="part_block"/>
    <provides> <service name="Block"/> </provides>
    <config> <policy label_prefix="keeper" partition="1" writeable="${answer}"/> </config>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="keeper" ram="16M" isolation="${isolation}">
    <binary name="./keeper.mjs"/>
    <exit propagate="yes"/>
    <config read_only="${writeable ? 'no' : 'yes'}"/>
    <route> <service name="Block"> <child name="partitions"/> </service> <any-service> <parent/> </any-service> </route>
  </start>`);
}

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  symlinkSync(RUMPFS, join(place.directory, 'node_modules', '@ginit', 'rumpfs'));
  place.write('keeper.mjs', KEEPER);
});
afterEach(() => place[Symbol.dispose]());

const makeDisk = (): DiskImage =>
  DiskImage.make(
    place.directory,
    'disk.img',
    8192,
    ['-b', '1024'],
    writeTree(join(place.directory, 'tree'), { 'hello.txt': 'Hello, keeper' }),
  );
const said = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => line.includes('keeper] ')).map((line) => line.replace(/^.*keeper\] /, ''));

describe.skipIf(missingTools)(`a component mounts its Block session ${missingTools ?? ''}`, () => {
  const WRITTEN = ['Hello, keeper', 'ENOSPC', 'lost+found made', '0'];

  test.each(['thread', 'process', ...(leftOut(true) ? [] : ['jail'])])(
    'isolation="%s"',
    async (isolation) => {
      const disk = makeDisk();
      place.write('config.xml', config(isolation, true));
      const { code, lines, stderr } = await place.run('config.xml');
      expect(code, stderr).toBe(0);
      expect(said(lines)).toEqual(WRITTEN);
      expect(disk.problems()).toBe('');
      expect(disk.content('/made/moved').toString()).toBe('Hello, keeper');
    },
  );

  test('in the simulator', async (context) => {
    skipIfLong(context);
    const disk = makeDisk();
    place.write('config.xml', config('thread', true));
    const { code, lines, stderr } = await place.simulate('--seed', '3', 'config.xml');
    expect(code, stderr).toBe(0);
    expect(said(lines)).toEqual(WRITTEN);
    expect(disk.problems()).toBe('');
  });

  test('a session that may not write is mounted read-only', async () => {
    const disk = makeDisk();
    const before = readFileSync(disk.path);
    place.write('config.xml', config('process', false));
    const { code, lines, stderr } = await place.run('config.xml');
    expect(code, stderr).toBe(0);
    expect(said(lines)).toEqual(['Hello, keeper', 'EROFS', 'hello.txt lost+found', 'ENOENT']);
    expect(Buffer.compare(readFileSync(disk.path), before)).toBe(0);
  });
});
