/**
 * The whole path of a read and of a write: fs_tool, rumpfs with ext2, blockcache, part_block,
 * file_block. The config is the one of the design, to the letter; e2fsck and debugfs are the
 * judges.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DiskImage, missingTools, writeTree } from '../harness/disk-image.ts';
import { allLongIf, skipIfLong } from '../harness/long.ts';
import { SimulatedToo } from '../harness/simulated-too.ts';

/** Section 12 of the design, with another tool config, and other placements of the components. */
function storageConfig(tool: string, placement: Readonly<Record<string, string>> = {}): string {
  const where = (name: string): string => placement[name] ?? '';
  return `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
  </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
  <default caps="100" ram="4M"/>

  <start name="disk" ram="8M" ${where('disk')}>
    <binary name="file_block"/>
    <provides> <service name="Block"/> </provides>
    <host> <file path="disk.img" access="rw"/> </host>
    <config file="disk.img" block_size="512" writeable="yes"/>
  </start>

  <start name="partitions" ${where('partitions')}>
    <binary name="part_block"/>
    <provides> <service name="Block"/> </provides>
    <config> <policy label_prefix="cache" partition="1" writeable="yes"/> </config>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>

  <start name="cache" ram="16M" ${where('cache')}>
    <binary name="blockcache"/>
    <provides> <service name="Block"/> </provides>
    <config policy="auto" mode="write-back"/>
    <route> <service name="Block"> <child name="partitions"/> </service> <any-service> <parent/> </any-service> </route>
  </start>

  <start name="fs" ram="32M" ${where('fs')}>
    <binary name="rumpfs"/>
    <provides> <service name="File_system"/> </provides>
    <config fs="auto"> <policy label_prefix="tool" root="/" writeable="yes"/> </config>
    <route> <service name="Block"> <child name="cache"/> </service> <any-service> <parent/> </any-service> </route>
  </start>

  <start name="tool" ${where('tool')}>
    <binary name="fs_tool"/>
    <exit propagate="yes"/>
    <config> ${tool} </config>
  </start>
</config>
`;
}

const PLACEMENTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'as in the design': { cache: 'isolation="process"' },
  'all threads of one process': { disk: 'isolation="thread"' },
  'all processes': Object.fromEntries(
    ['disk', 'partitions', 'cache', 'fs', 'tool'].map((name) => [name, 'isolation="process"']),
  ),
};

/** Whether processes share memory, or copy over sockets. */
const MEMORY_SWITCH = 'SHAREDARRAYBUFFER_POLYFILL';
const PLACEMENTS_AND_MEMORY = [
  ...Object.entries(PLACEMENTS).map(([name, placement]) => [name, placement, 'shared'] as const),
  ['all processes, without shared memory', PLACEMENTS['all processes'] ?? {}, 'copied'] as const,
];

const sha256 = (content: Uint8Array | string): string => createHash('sha256').update(content).digest('hex');

/** A megabyte and some bytes that do not repeat. */
function mixedBytes(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = 0x9e3779b9;
  for (let i = 0; i < sizeBytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

let place: SimulatedToo;
beforeEach(() => {
  place = new SimulatedToo();
});
afterEach(() => {
  delete process.env[MEMORY_SWITCH];
  place[Symbol.dispose]();
});

describe.skipIf(missingTools)(
  `ext2 through the whole stack${missingTools ? ` (skipped: ${missingTools})` : ''}`,
  () => {
    const big = mixedBytes(3 * 1024 * 1024 + 17);
    const tree = (): string =>
      writeTree(join(place.directory, 'tree'), {
        'hello.txt': 'Hello, ginit\n',
        'docs/a/b/deep.txt': 'deep',
        'big.bin': big,
        empty: '',
      });

    describe.each(PLACEMENTS_AND_MEMORY)('%s', (name, placement, memory) => {
      allLongIf(name.startsWith('all threads') || name === 'all processes');
      beforeEach(() => {
        if (memory === 'copied') process.env[MEMORY_SWITCH] = 'off';
      });

      test('reads the files that mke2fs has put there', async () => {
        DiskImage.make(place.directory, 'disk.img', 8192, ['-b', '1024'], tree());
        const tool = `<ls path="/"/> <cat path="/hello.txt"/> <sha256 path="/big.bin"/> <sha256 path="/empty"/>
        <ls path="/docs/a/b"/> <cat path="/nothing" expect="Lookup_failed"/>`;
        place.write('config.xml', storageConfig(tool, placement));
        const { code, lines, stderr } = await place.run('config.xml');
        expect(code, stderr + lines.join('\n')).toBe(0);
        const text = lines.filter((line) => line.startsWith('[init -> tool] ')).map((line) => line.slice(15));
        expect(text).toContain('ls /: file 13 hello.txt');
        expect(text.join('\n')).toContain('Hello, ginit');
        expect(text).toContain(`sha256 /big.bin ${sha256(big)}`);
        expect(text).toContain(`sha256 /empty ${sha256('')}`);
        expect(text).toContain('ls /docs/a/b: file 4 deep.txt');
        expect(text.at(-1)).toBe('fs_tool done');
      });

      test('writes files that debugfs then reads, and leaves the file system clean', async () => {
        const image = DiskImage.make(place.directory, 'disk.img', 8192, ['-b', '1024'], tree());
        const tool = `<write path="/new.txt">hello</write> <append path="/new.txt"> world</append>
        <mkdir path="/made"/> <fill path="/made/filled" size="2M" seed="7"/> <verify path="/made/filled" size="2M" seed="7"/>
        <sha256 path="/made/filled"/> <truncate path="/big.bin" size="1000"/> <unlink path="/hello.txt"/>
        <mkdir path="/gone"/> <rmdir path="/gone"/> <remove-all path="/docs"/> <sync/>
        <rmdir path="/made" expect="Not_empty"/>`;
        place.write('config.xml', storageConfig(tool, placement));
        const { code, lines, stderr } = await place.run('config.xml');
        expect(code, stderr + lines.join('\n')).toBe(0);
        expect(image.problems()).toBe('');
        expect(image.content('/new.txt').toString()).toBe('hello world');
        expect(sha256(image.content('/big.bin'))).toBe(sha256(big.subarray(0, 1000)));
        const filled = lines.find((line) => line.includes('sha256 /made/filled'));
        expect(filled).toContain(sha256(image.content('/made/filled')));
        const listing = image.debugfs('ls -p /');
        expect(listing).not.toMatch(/hello\.txt|gone|docs/);
        expect(listing).toMatch(/made/);
      });
    });

    describe.each([1024, 4096])('blocks of %i bytes', (blockSize) => {
      allLongIf(blockSize !== 1024);

      test('sparse, large and many files survive a second run', async () => {
        const image = DiskImage.make(place.directory, 'disk.img', 32_768, ['-b', String(blockSize)], tree());
        const many = Array.from(
          { length: 20 },
          (_, i) => `<write path="/many/file-number-${i}">content ${i}</write>`,
        );
        const first = `<mkdir path="/many"/> ${many.join('')}
      <write path="/sparse">x</write> <truncate path="/sparse" size="12M"/> <append path="/sparse">end</append>
      <fill path="/large" size="5M" seed="3"/> <repeat count="20"> <append path="/log">line. </append> </repeat> <sync/>`;
        place.write('first.xml', storageConfig(first));
        const written = await place.run('first.xml');
        expect(written.code, written.stdout + written.stderr).toBe(0);
        expect(image.problems()).toBe('');
        expect(image.content('/many/file-number-19').toString()).toBe('content 19');
        const sparse = image.content('/sparse');
        expect(sparse.length).toBe(12 * 1024 * 1024 + 3);
        expect(sparse.subarray(-3).toString()).toBe('end');
        const second = `<verify path="/large" size="5M" seed="3"/> <cat path="/log"/> <sha256 path="/sparse"/>
      <sha256 path="/big.bin"/> <remove-all path="/many"/> <unlink path="/large"/> <unlink path="/sparse"/> <df/>`;
        place.write('second.xml', storageConfig(second));
        const again = await place.run('second.xml');
        expect(again.code, again.stdout + again.stderr).toBe(0);
        expect(again.stdout).toContain(`sha256 /sparse ${sha256(sparse)}`);
        expect(again.stdout).toContain(`sha256 /big.bin ${sha256(big)}`);
        expect(again.stdout).toContain('line. '.repeat(20).trimEnd());
        expect(image.problems()).toBe('');
      });
    });

    test('every failure is reported with one clear error code', async () => {
      DiskImage.make(place.directory, 'disk.img', 4096, ['-b', '1024'], tree());
      const tool = `<cat path="/docs" expect="Is_a_directory"/> <ls path="/hello.txt" expect="Not_a_directory"/>
      <mkdir path="/docs" expect="Node_already_exists"/> <read path="/hello.txt" offset="100" size="10" expect="Invalid_argument"/>
      <fill path="/too-big" size="10M" seed="1" expect="No_space"/> <unlink path="/no" expect="Lookup_failed"/>
      <unlink path="/docs/a/no" expect="Lookup_failed"/> <cat path="/oops"/>`;
      place.write('config.xml', storageConfig(tool));
      const { code, stdout } = await place.run('config.xml');
      expect(stdout).toContain('[init -> tool] Error: cat /oops: Lookup_failed');
      expect(stdout).not.toContain('fs_tool done');
      expect(code).toBe(1);
    });

    test('a read-only policy refuses every write', async () => {
      const image = DiskImage.make(place.directory, 'disk.img', 4096, ['-b', '1024'], tree());
      const tool = `<write path="/no" expect="Permission_denied">x</write> <unlink path="/hello.txt" expect="Permission_denied"/>
      <mkdir path="/no" expect="Permission_denied"/> <cat path="/hello.txt"/>`;
      const config = storageConfig(tool).replace('root="/" writeable="yes"', 'root="/" writeable="no"');
      place.write('config.xml', config);
      const { code, stdout } = await place.run('config.xml');
      expect(code, stdout).toBe(0);
      expect(image.problems()).toBe('');
    });

    test.for([
      ['disk', 2],
      ['cache', 4],
    ] as const)(
      'when the process of "%s" is killed at work the system ends with an error',
      async ([name, nth], context) => {
        skipIfLong(context, name === 'cache');
        DiskImage.make(place.directory, 'disk.img', 65_536, ['-b', '1024']);
        const tool = `<ls path="/"/> <repeat count="1000"> <fill path="/f" size="12M" seed="1"/> <sync/> </repeat>`;
        place.write('config.xml', storageConfig(tool, { cache: 'isolation="process"' }));
        const running = place.start('config.xml');
        await running.until('sync: ok');
        // Processes by age: ginit, init, then the domains in the order of the config: disk, main,
        // cache.
        const victim = running.processes().toSorted((a, b) => a - b)[nth];
        process.kill(victim ?? 0, 'SIGKILL');
        const { code, stdout, stderr } = await running.finished;
        expect(stderr).toContain(`ginit: [init -> ${name}] crashed: its process was ended by SIGKILL`);
        expect(stdout).toMatch(/\[init -> tool\] Error: (fill|sync)/);
        expect(code).toBe(1);
        expect(await running.leftOver()).toEqual([]);
      },
    );

    test.for([
      ['a superblock of garbage', (disk: Buffer) => disk.fill(0xa5, 2048 * 512 + 1024, 2048 * 512 + 2048)],
      [
        'an image that ends in the middle of the partition',
        (disk: Buffer) => disk.subarray(0, 3 * 1024 * 1024),
      ],
      [
        'a partition that goes beyond the end of the disk',
        (disk: Buffer) => (disk.writeUInt32LE(1_000_000, 458), disk),
      ],
      ['no partition table', (disk: Buffer) => disk.fill(0, 440, 512)],
    ] as const)('%s: the system ends with one clear error', async ([name, damage], context) => {
      skipIfLong(context, /^(an image|a partition)/.test(name));
      const image = DiskImage.make(place.directory, 'disk.img', 4096, ['-b', '1024'], tree());
      place.write('disk.img', damage(readFileSync(image.path)));
      place.write('config.xml', storageConfig('<ls path="/"/>'));
      const { code, stdout, stderr } = await place.run('config.xml');
      expect(code).not.toBe(0);
      expect(stdout).toMatch(/Error: /);
      expect(stderr).not.toMatch(/assertion failed/);
    });
  },
);
