/**
 * Tests standard output that can be written no more, terminals that close, and readers that do not
 * read. The tree is stopped in order, once, and the content of a file system's caches is on the
 * disk.
 */
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DiskImage, missingTools } from '../harness/disk-image.ts';
import { CORE_URL, GINIT, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { allLongIf, skipIfLong } from '../harness/long.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

/**
 * Logs more than anybody reads, once the file system has had time to be mounted and written to, so
 * that everything is stopped in the middle of its work.
 */
const NOISY = `import { component } from '${CORE_URL}';
export default component({}, async (env) => {
  await env.timer.sleep(6000);
  for (let line = 0; line < 20000; line++) console.log('line ' + line);
});`;

const GINIT_COMMAND = `'${process.execPath}' '${GINIT}'`;

/** Waits for a file that a shell writes when ginit has ended. */
async function codeIn(name: string, run: GinitRun): Promise<number> {
  for (let waitedMs = 0; waitedMs < 50_000; waitedMs += 20) {
    if (existsSync(place.path(name))) {
      const text = readFileSync(place.path(name), 'utf8');
      if (text.endsWith('\n')) return Number(text);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`ginit did not end:\n${run.stdout}${run.stderr}`);
}

/** A script that writes to a file, without a sync, and to its log until it is stopped. */
const WRITING = `
  <start name="disk" ram="8M"> <binary name="file_block"/> <provides> <service name="Block"/> </provides>
    <host> <file path="disk.img" access="rw"/> </host> <config file="disk.img" block_size="512" writeable="yes"/> </start>
  <start name="partitions"> <binary name="part_block"/> <provides> <service name="Block"/> </provides>
    <config> <policy label_prefix="cache" partition="1" writeable="yes"/> </config>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route> </start>
  <start name="cache" ram="16M"> <binary name="blockcache"/> <provides> <service name="Block"/> </provides>
    <config policy="auto" mode="write-back"/>
    <route> <service name="Block"> <child name="partitions"/> </service> <any-service> <parent/> </any-service> </route> </start>
  <start name="fs" ram="32M"> <binary name="rumpfs"/> <provides> <service name="File_system"/> </provides>
    <config fs="auto"> <policy label_prefix="tool" root="/" writeable="yes"/> </config>
    <route> <service name="Block"> <child name="cache"/> </service> <any-service> <parent/> </any-service> </route> </start>
  <start name="tool"> <binary name="fs_tool"/> <exit propagate="yes"/>
    <config> <repeat count="1000000"> <append path="/log">a line of text. </append> </repeat> </config> </start>`;

describe.skipIf(missingTools)(
  `over write-back storage${missingTools ? ` (skipped: ${missingTools})` : ''}`,
  () => {
    let image: DiskImage;
    beforeEach(() => {
      image = DiskImage.make(place.directory, 'disk.img', 16_384, ['-b', '1024']);
      place.write('config.xml', systemConfig(WRITING));
    });

    /** Checks that the cache was flushed and the file system unmounted. */
    function expectFlushed(): void {
      expect(image.problems()).toBe('');
      expect(image.content('/log').toString()).toMatch(/^(a line of text\. )+$/);
    }

    test.for([
      ['head', '| head -1'],
      ['a reader that goes at once', '| true'],
    ] as const)(
      'when a pipe to %s ends, ginit stops in order with exit code 0',
      async ([name, reader], context) => {
        skipIfLong(context, name !== 'head');
        const script = `{ ${GINIT_COMMAND} config.xml; echo $? > code; } ${reader}`;
        const run = place.startProgram('sh', '-c', script);
        expect(await codeIn('code', run)).toBe(0);
        expect((await run.finished).stderr).toBe('');
        if (reader.includes('head')) expectFlushed();
        expect(image.problems()).toBe('');
        expect(await run.leftOver()).toEqual([]);
      },
    );

    test('when its terminal closes, ginit stops in order with exit code 0', async () => {
      // The shell lives on to report how ginit ended. Node ignores signals that are ignored when it
      // starts.
      place.write('in-terminal.sh', `trap '' HUP\n${GINIT_COMMAND} config.xml\necho $? > code\n`);
      const terminal = place.startProgram('script', '-qfc', 'exec sh in-terminal.sh', '/dev/null');
      await terminal.until('append /log');
      terminal.child.kill('SIGKILL');
      expect(await codeIn('code', terminal)).toBe(0);
      expectFlushed();
    });

    test.each(['/dev/full'])(
      '%s: one line on standard error, stopped in order, exit code 1',
      async (path) => {
        const run = place.startProgram('sh', '-c', `exec ${GINIT_COMMAND} config.xml > ${path}`);
        const { code, stderr } = await run.finished;
        expect(stderr).toBe(
          'ginit: standard output cannot be written: no space left on the device (ENOSPC)\n',
        );
        expect(code).toBe(1);
        expectFlushed();
        expect(await run.leftOver()).toEqual([]);
      },
    );

    test('when its output file cannot grow, ginit writes one line to standard error and stops in order with exit code 1', async (context) => {
      skipIfLong(context);
      // The limit is in blocks of 1024 bytes; the disk image is smaller.
      place.write('out', new Uint8Array(40000 * 1024 - 1000));
      const run = place.startProgram(
        'bash',
        '-c',
        `ulimit -f 40000; exec ${GINIT_COMMAND} config.xml >> out`,
      );
      const { code, stderr } = await run.finished;
      expect(stderr).toBe('ginit: standard output cannot be written: the file is too large (EFBIG)\n');
      expect(code).toBe(1);
      expectFlushed();
    });

    test('hang-ups never count as a second signal', async () => {
      const run = place.start('config.xml');
      await run.until('append /log');
      for (const signal of ['SIGHUP', 'SIGHUP', 'SIGTERM', 'SIGHUP'] as const) run.child.kill(signal);
      const { code, stderr } = await run.finished;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expectFlushed();
    });

    test('a reader that does not read keeps nobody from stopping', async () => {
      place.write('stuck.sh', `${GINIT_COMMAND} config.xml & echo $! > pid\nwait $!\necho $? > code\n`);
      place.write('noisy.mjs', NOISY);
      place.write(
        'config.xml',
        systemConfig(`${WRITING} <start name="noisy"> <binary name="./noisy.mjs"/> </start>`),
      );
      const waiting = '{ head -c 1 > first; while ! [ -s code ]; do sleep 0.1; done; }';
      const run = place.startProgram('sh', '-c', `sh stuck.sh | ${waiting}`);
      const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
      const look = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
      while (textOf(place.path('first')) === '') await look();
      const pid = Number(textOf(place.path('pid')));
      // By then the noise has begun, the pipe is full, and ginit waits. Nothing shows that from
      // outside.
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      process.kill(pid, 'SIGTERM');
      expect(await codeIn('code', run)).toBe(0);
      const { stderr } = await run.finished;
      expect(stderr).toMatch(/^ginit: warning: \d+ bytes were not read from standard output\n$/);
      expectFlushed();
    });
  },
);

/** A component that logs a line and gives an exit code. */
const EXITING = `import { component } from '${CORE_URL}';
export default component({}, async (env) => { env.log('a line'); env.exit(Number(env.config.node.value('code'))); });`;
const exiting = (code: number): string =>
  systemConfig(
    `<start name="c"> <binary name="./c.mjs"/> <exit propagate="yes"/> <config code="${code}"/> </start>`,
  );

test.for([
  ['> /dev/full', 7, 7],
  ['> /dev/full', 0, 1],
  ['2> /dev/full', 7, 7],
  ['2> /dev/full', 0, 0],
  ['2>&-', 7, 7],
  ['>&-', 7, 7],
  ['> /dev/full 2> /dev/full', 0, 1],
] as const)(
  'with %s a child that ends with %i makes ginit end with %i',
  async ([redirection, code, expected], context) => {
    skipIfLong(context, redirection === '2>&-' || (redirection === '2> /dev/full' && code === 7));
    place.write('c.mjs', EXITING);
    place.write('config.xml', exiting(code));
    const run = place.startProgram('sh', '-c', `exec ${GINIT_COMMAND} config.xml ${redirection}`);
    expect((await run.finished).code).toBe(expected);
    expect(await run.leftOver()).toEqual([]);
  },
);

describe.each(['help', '--version', 'help file_block', 'sim --help'])('ginit %s', (words) => {
  allLongIf(words === '--version' || words === 'sim --help');

  test('says that the output cannot be written', async () => {
    const run = place.startProgram('sh', '-c', `exec ${GINIT_COMMAND} ${words} > /dev/full`);
    const { code, stderr } = await run.finished;
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'ginit: standard output cannot be written: no space left on the device (ENOSPC)\n',
    });
  });

  test('a reader that has gone is no error', async () => {
    const script = `{ ${GINIT_COMMAND} ${words}; echo $? > code; } | true`;
    const run = place.startProgram('sh', '-c', script);
    expect(await codeIn('code', run)).toBe(0);
    expect((await run.finished).stderr).toBe('');
  });
});

test('ginit check writes nothing to standard output, and its exit code is its answer', async () => {
  place.write('c.mjs', EXITING);
  place.write('right.xml', exiting(0));
  place.write('wrong.xml', '<config> <start/> </config>');
  for (const [file, expected] of [
    ['right.xml', 0],
    ['wrong.xml', 2],
  ] as const) {
    const run = place.startProgram('sh', '-c', `exec ${GINIT_COMMAND} check ${file} > /dev/full 2>&1`);
    expect((await run.finished).code).toBe(expected);
  }
});
