/**
 * Every system of this tree runs simulated, with the lines of its real run, or it is listed here
 * with the reason why it does not. A new one has to be put in one of these lists.
 */
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, Workplace } from '../harness/ginit.ts';
import { expectSameSimulated } from '../harness/simulated-too.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

/** Tests whose systems all run in a `SimulatedToo`. */
const SIMULATED = [
  'test/scenarios/block-tools.test.ts',
  'test/scenarios/storage.test.ts',
  'test/scenarios/wrong-input.test.ts',
];

/** Other tests that start systems. */
const REAL_ONLY: Readonly<Record<string, string>> = {
  'packages/block/test/http-block.test.ts': 'sockets of the host, and programs that listen there',
  'packages/block/test/nbd-block.test.ts': 'sockets of the host, and programs that listen there',
  'packages/block/test/nbd-server.test.ts': 'sockets of the host, and programs that connect to them',
  'packages/os/test/rom-scenarios.test.ts': 'one real run; its examples are simulated beside it',
  'packages/core/test/thread-parking.test.ts': 'how threads of the host park',
  'test/cluster/attach.test.ts': 'machines that are joined by a real nats-server',
  'test/cluster/nodes.test.ts': 'machines that are joined by a real nats-server',
  'test/conformance/large-messages.test.ts': 'carriers of threads and processes under load',
  'test/conformance/synchronous.test.ts':
    'synchronous calls, which are refused by name (test/sim/rules.test.ts)',
  'test/crash/bounded.test.ts': 'memory bounds of processes',
  'test/crash/crash.test.ts': 'heaps that overflow, processes that are killed, signals to ginit',
  'test/crash/killed.test.ts': 'processes that are killed, and what the kernel has of them',
  'test/crash/processes.test.ts': 'processes that are killed',
  'test/crash/revocation.test.ts': 'memory of processes, as the kernel has it',
  'test/crash/starts-that-fail.test.ts': 'descriptors and processes that the host refuses',
  'test/docs/costs.test.ts': 'figures of the manual: what a check refuses',
  'test/jail/attempts.test.ts': 'what the kernel refuses to a process',
  'test/jail/confinement.test.ts': 'what the kernel refuses to a process',
  'test/jail/drivers.test.ts': 'what the kernel refuses to a process',
  'test/jail/inherited.test.ts': 'descriptors of processes',
  'test/jail/manifest.test.ts': 'what the kernel refuses to a process',
  'test/nats/bus-command.test.ts': 'a nats-server of the host',
  'test/scenarios/authority.test.ts': 'processes too; its systems of threads run simulated beside it',
  'test/scenarios/component-output.test.ts': 'streams of threads and processes',
  'test/scenarios/devices.test.ts':
    'files of the host that change while a system runs, and what the kernel does to them',
  'test/scenarios/endings.test.ts': 'processes too; its systems of threads run simulated beside it',
  'test/scenarios/fuse-posix.test.ts': 'mounts of the host',
  'test/scenarios/fuse.test.ts': 'mounts of the host',
  'test/scenarios/heartbeat.test.ts': 'a thread that never returns',
  'test/scenarios/hid.test.ts': 'the command line; its system is simulated beside it',
  'test/scenarios/host.test.ts': 'sockets, directories, devices and programs of the host',
  'test/scenarios/images.test.ts':
    'processes that are killed, and tools of the host that look at what they left',
  'test/scenarios/import-rule.test.ts': 'what the check of a config says, and modules of Node',
  'test/scenarios/live-config.test.ts': 'files of the host that change while a system runs',
  'test/scenarios/lost-output.test.ts': 'pipes, terminals and full devices',
  'test/scenarios/manifests.test.ts': 'how manifests are read, in a process of their own',
  'test/scenarios/mount-session.test.ts': 'processes too; its system of threads runs simulated beside it',
  'test/scenarios/package-manager.test.ts': 'signals to npx',
  'test/scenarios/running.test.ts': 'the commands that look at a running system',
  'test/scenarios/scheduling.test.ts': 'CPUs and priorities of threads, as the kernel has them',
  'test/scenarios/ginit-trace.test.ts': 'commands on a running system',
  'test/scenarios/trace-deaths.test.ts': 'processes that are killed by a command',
  'test/scenarios/trace-files.test.ts': "the kernel's FUSE, and tools of the host",
  'test/scenarios/trace.test.ts': 'threads, processes and jails; it simulates the same itself',
  'test/scenarios/sequence.test.ts': 'what a check says; its system is simulated beside it',
  'test/scenarios/schema.test.ts': 'no systems: it compares configs with the XML Schema',
  'test/scenarios/summary.test.ts': 'heap of threads and processes, thread pools of drivers',
  'test/scenarios/terminal.test.ts': 'people, programs and sockets at terminals',
  'test/scenarios/trust.test.ts': 'modules of Node, processes and jails',
  'test/scenarios/two-writers.test.ts': 'locks of the kernel',
  'test/scenarios/vfs.test.ts': "the kernel's FUSE, and tools of the host",
  'test/scenarios/vmm-bios.test.ts': 'the emulator of a processor, which takes the time of the host',
  'test/scenarios/vmm-killed.test.ts': 'the emulator of a processor, which takes the time of the host',
  'test/scenarios/vmm-parallel.test.ts': 'the emulator of a processor, which takes the time of the host',
  'test/scenarios/vmm-pause.test.ts': 'the emulator of a processor, which takes the time of the host',
  'test/scenarios/vmm-qemu-display.test.ts': 'programs of the host',
  'test/scenarios/vmm-qemu-state.test.ts': 'programs of the host',
  'test/scenarios/vmm-qemu.test.ts': 'programs of the host',
  'test/scenarios/vmm-shared.test.ts': 'the emulator of a processor, which takes the time of the host',
  'test/scenarios/vmm-state.test.ts': 'the emulator of a processor, which takes the time of the host',
  'test/scenarios/vmm-two-monitors.test.ts': 'programs of the host, and the emulator of a processor',
  'test/scenarios/vmm-two-shared.test.ts': 'programs of the host, and the emulator of a processor',
  'test/scenarios/vmm.test.ts': 'the emulator of a processor, which takes the time of the host',
  'test/scenarios/zlib.test.ts': 'threads that park; what the simulator refuses is tried beside it',
};

/** Examples, each with its files; the exit codes of the real and the simulated run are the same. */
const EXAMPLES = ['hello.xml', 'storage.xml', 'vfs.xml', 'race/fixed.xml'];
/** Examples that `packages/os/test/rom-scenarios.test.ts` simulates, with several seeds. */
const ELSEWHERE = ['live-config.xml', 'roms.xml'];
/**
 * Virtual machines, which run on the time of the host: `test/scenarios/vmm.test.ts` starts one, the
 * demo another, and `test/scenarios/vmm-qemu.test.ts` what the third has.
 */
const MACHINES = ['guest.xml', 'linux.xml', 'two-monitors.xml'];
/** Clusters, and what a machine lends to one: `test/cluster` runs them. */
const CLUSTERS = ['attach.xml', 'cluster.xml', 'lend.xml'];
/** The output of this example depends on chance, which is its purpose. */
const RACES = ['race/race.xml'];

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

function filesBelow(directory: string, pattern: RegExp): string[] {
  return readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((name) => pattern.test(name) && !name.includes('node_modules'));
}

test('every test that starts a system is in one of the lists', () => {
  const tests = ['test', 'packages'].flatMap((directory) => filesBelow(directory, /\.test\.ts$/));
  const starting = tests
    .filter((file) => !file.startsWith('test/sim/'))
    .filter((file) => /harness\/(ginit|simulated-too)\.ts/.test(readFileSync(join(ROOT, file), 'utf8')));
  expect(starting.toSorted()).toEqual([...SIMULATED, ...Object.keys(REAL_ONLY)].toSorted());
  for (const file of SIMULATED) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    expect(text, file).toContain('new SimulatedToo()');
    expect(text, file).not.toContain('new Workplace()');
  }
});

test('every example is in the list', () => {
  const configs = filesBelow('examples', /\.xml$/).map((name) => name.replace(/^examples\//, ''));
  expect(configs.toSorted()).toEqual(
    [...EXAMPLES, ...ELSEWHERE, ...MACHINES, ...CLUSTERS, ...RACES].toSorted(),
  );
});

test.each(EXAMPLES)('%s says the same simulated as in a real run, twice', async (name) => {
  const directory = name.includes('/') ? `examples/${name.split('/')[0]}` : 'examples';
  const copy = (into: Workplace): void => {
    for (const file of readdirSync(join(ROOT, directory), { withFileTypes: true })) {
      const path = join(ROOT, directory, file.name);
      if (!file.isFile()) continue;
      if (!file.name.endsWith('.mjs')) cpSync(path, into.path(file.name));
      else into.write(file.name, readFileSync(path, 'utf8').replace(`'@ginit/core'`, `'${CORE_URL}'`));
    }
  };
  copy(place);
  using before = new Workplace();
  copy(before);
  const config = name.split('/').at(-1) ?? name;
  await expectSameSimulated(before, config, await place.run(config));
});
