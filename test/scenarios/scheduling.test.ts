/**
 * Tests affinities and priorities of start nodes, as the kernel sees the threads, and the messages
 * where they are not possible.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CORE_URL, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { installWithoutKoffi } from '../harness/without-koffi.ts';

/** Names its thread, so that the test can look at it from outside, and stays. */
const shown = (coreUrl: string): string => `import { component } from '${coreUrl}';
const load = 'getBuiltin' + 'Module'; // past the import rule
const { readlinkSync } = process[load]('node:fs');
export default component((env) => env.log('thread ' + readlinkSync('/proc/thread-self')));`;

const BINARY = '<binary name="./shown.mjs"/>';

let place: Workplace;
let running: GinitRun | undefined;
beforeEach(() => {
  place = new Workplace();
  place.write('shown.mjs', shown(CORE_URL));
});
afterEach(async () => {
  running?.child.kill('SIGTERM');
  const finished = await running?.finished;
  const left = await running?.leftOver();
  running = undefined;
  place[Symbol.dispose]();
  expect(finished?.code ?? 0, finished?.stderr).toBe(0);
  expect(left ?? []).toEqual([]);
});

/** A list of CPUs as the kernel writes it. */
function cpuList(text: string): number[] {
  return text.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

const allowed = (status: string): number[] => cpuList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '');
const OWN_CPUS = process.platform === 'linux' ? allowed(readFileSync('/proc/self/status', 'utf8')) : [];
const niceOf = (stat: string): number => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
const OWN_NICE = process.platform === 'linux' ? niceOf(readFileSync('/proc/self/stat', 'utf8')) : 0;

/** The CPUs of a component's thread, and by how much its nice value is above ours. */
async function threadOf(run: GinitRun, label: string): Promise<{ cpus: number[]; nice: number }> {
  const said = `[${label}] thread `;
  await run.until(said);
  const thread = run.stdout.split(said)[1]?.split('\n')[0];
  if (!thread) throw new Error(`no thread of ${label} in ${run.stdout}`);
  const read = (file: string): string => readFileSync(join('/proc', thread, file), 'utf8');
  return { cpus: allowed(read('status')), nice: niceOf(read('stat')) - OWN_NICE };
}

function start(starts: string, top = ''): GinitRun {
  place.write('config.xml', systemConfig(starts).replace('<config>', `<config ${top}>`));
  running = place.start('config.xml');
  return running;
}

describe.runIf(process.platform === 'linux')('a thread', () => {
  const [first] = OWN_CPUS;
  const last = OWN_CPUS.at(-1);
  const space = `<affinity-space width="${OWN_CPUS.length}"/>`;
  const lastColumn = `<affinity xpos="${OWN_CPUS.length - 1}"/>`;

  test('runs on the CPUs of its affinity, whichever process it is in', async () => {
    const run = start(`${space}
      <start name="first"> ${BINARY} <affinity xpos="0"/> </start>
      <start name="last" isolation="process"> ${BINARY} ${lastColumn} </start>
      <start name="any"> ${BINARY} </start>`);
    expect((await threadOf(run, 'init -> first')).cpus).toEqual([first]);
    expect((await threadOf(run, 'init -> last')).cpus).toEqual([last]);
    expect((await threadOf(run, 'init -> any')).cpus).toEqual(OWN_CPUS);
    expect(run.stderr).toBe('');
  });

  test('has the nice value of its priority', async () => {
    const run = start(
      `<start name="urgent" priority="0"> ${BINARY} </start>
       <start name="middle" priority="-2"> ${BINARY} </start>
       <start name="least" priority="-3" isolation="process"> ${BINARY} </start>`,
      'prio_levels="4"',
    );
    const nice = async (name: string): Promise<number> => (await threadOf(run, `init -> ${name}`)).nice;
    expect([await nice('urgent'), await nice('middle'), await nice('least')]).toEqual([0, 10, 15]);
  });

  test('of a nested init has a part of what that init has', async () => {
    const inner = systemConfig(`<affinity-space width="2"/>
      <start name="half" priority="-1"> ${BINARY} <affinity xpos="1"/> </start>
      <start name="whole"> ${BINARY} </start>`).replace('<config>', '<config prio_levels="2">');
    const run = start(
      `${space} <start name="sub" ram="32M" caps="1000" priority="-1"> <binary name="init"/> ${lastColumn} ${inner} </start>`,
      'prio_levels="2"',
    );
    expect(await threadOf(run, 'init -> sub -> half')).toEqual({ cpus: [last], nice: 15 });
    expect(await threadOf(run, 'init -> sub -> whole')).toEqual({ cpus: [last], nice: 10 });
  });
});

const LIMITED = `<affinity-space width="2"/>
  <start name="a" heap="64M" isolation="process"> ${BINARY} <affinity xpos="0"/> </start>
  <start name="b" heap="64M" isolation="process"> ${BINARY} <affinity xpos="0"/> </start>
  <start name="c"> ${BINARY} <affinity xpos="0"/> </start>`;

test.runIf(process.platform === 'linux')(
  'without koffi each process reports once what it lacks, and everything runs',
  async () => {
    const command = installWithoutKoffi(place.directory);
    place.write('config.xml', systemConfig(LIMITED));
    running = new GinitRun(['config.xml'], place.directory, command);
    for (const name of ['a', 'b', 'c'])
      expect((await threadOf(running, `init -> ${name}`)).cpus).toEqual(OWN_CPUS);
    const why = 'koffi is not installed or cannot be loaded (npm install koffi)';
    expect(running.stderr.trim().split('\n').toSorted()).toEqual([
      `ginit: warning: [init -> a] affinities have no effect: ${why}`,
      `ginit: warning: [init -> a] heap= bounds V8 only, not the memory of processes: ${why}`,
      `ginit: warning: [init -> b] affinities have no effect: ${why}`,
      `ginit: warning: [init -> b] heap= bounds V8 only, not the memory of processes: ${why}`,
      `ginit: warning: [init -> c] affinities have no effect: ${why}`,
      `ginit: warning: processes are not jailed: ${why}`,
    ]);
  },
);
