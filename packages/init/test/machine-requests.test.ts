/** Requests of the control socket about virtual machines, and the command that makes them. */
import { expect, test } from 'vitest';
import { KeptMachines } from '../../core/src/supervisor/kept-machines.ts';
import type { ControlCall } from '../src/command/control/index.ts';
import { machineRequests } from '../src/command/machine-requests.ts';
import { machineLines } from '../src/command/running/machine-tables.ts';
import { parseRunning } from '../src/command/running/options.ts';

const DONE = {
  busyUs: 1_500_000,
  instructions: 12_000_000,
  exits: 90,
  idles: 40,
  reads: 7,
  readBytes: 4_200_000,
  writes: 0,
  writtenBytes: 0,
  flushes: 0,
  frames: 5,
};
const call: ControlCall = { send: async () => {}, signal: new AbortController().signal };

function twoMachines() {
  const machines = new KeptMachines();
  const [one, two] = ['init -> one -> machine', 'init -> two -> machine'].map((label) =>
    machines.open({ label }),
  );
  const requests = machineRequests({
    get machines() {
      return machines.all;
    },
  });
  const ask = async (name: string, args: unknown): Promise<unknown> => {
    try {
      return await requests[name]?.(args, call);
    } catch (error) {
      return String(error);
    }
  };
  return { machines, one, two, ask };
}

test('machines are listed by their components', async () => {
  const { one, ask } = twoMachines();
  await one?.tell({ state: 'runs', about: 'v86' });
  const listed = ask('machines', {});
  const wish = await one?.wish();
  expect(wish?.action).toBe('metrics');
  await one?.answer(wish?.number ?? 0, { metrics: DONE });
  // The other one does not say, and is listed without.
  expect(await listed).toEqual({
    machines: [
      { label: 'init -> one', state: 'runs', about: 'v86', metrics: DONE },
      { label: 'init -> two', state: 'off', about: 'it is not there yet', metrics: undefined },
    ],
  });
});

test('a machine that does not say what it has done is asked once, however often somebody looks', async () => {
  const { two, machines } = twoMachines();
  const [, machine] = machines.all;
  const looks = Array.from({ length: 20 }, () => machine?.metrics());
  const acts = machine?.ask('pause', []);
  expect((await two?.wish())?.action).toBe('metrics');
  expect(await two?.wish()).toMatchObject({ number: 2, action: 'pause' });
  await two?.answer(1, { metrics: DONE });
  expect(await Promise.all(looks)).toEqual(looks.map(() => DONE));
  const again = machine?.metrics();
  expect(await two?.wish()).toMatchObject({ number: 3, action: 'metrics' });
  await two?.[Symbol.asyncDispose]?.();
  expect(await again).toBeUndefined();
  expect((await acts)?.problem).toContain('gone');
});

test('machines are shown with what they have done', () => {
  const machine = { label: 'init -> vmm', state: 'runs', about: 'v86' };
  const lines = machineLines([
    { ...machine, metrics: DONE },
    { ...machine, metrics: { ...DONE, instructions: undefined, idles: undefined } },
    { ...machine, metrics: undefined },
  ]);
  expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
    ['MACHINE', 'STATE', 'BUSY', 'INSTRUCTIONS', 'IDLE', 'READ', 'WRITTEN', 'FRAMES', 'ABOUT'],
    ['init -> vmm', 'runs', '1.50s', '12 million', '40 of 90 exits', '4.2MB in 7', '0.0MB in 0', '5', 'v86'],
    ['init -> vmm', 'runs', '1.50s', '-', '-', '4.2MB in 7', '0.0MB in 0', '5', 'v86'],
    ['init -> vmm', 'runs', '-', '-', '-', '-', '-', '-', 'v86'],
  ]);
});

test('a wish reaches the machine that is meant, and its answer whoever wished', async () => {
  const { two, ask } = twoMachines();
  const asked = ask('machine', { action: 'pause', label: 'two' });
  const refused = ask('machine', { action: 'reset', label: 'init -> two', words: ['now'] });
  const shown = ask('machine', { action: 'pause', label: 'two' });
  const first = await two?.wish();
  expect(first).toMatchObject({ action: 'pause', words: [] });
  await two?.answer(first?.number ?? 0, {});
  const second = await two?.wish();
  await two?.answer(second?.number ?? 0, { problem: 'not now' });
  expect(second?.words).toEqual(['now']);
  await two?.wish();
  await two?.answer(3, { content: Uint8Array.of(1, 2, 3) });
  expect(await shown).toEqual({ label: 'init -> two', content: 'AQID' });
  expect(await asked).toEqual({ label: 'init -> two' });
  expect(await refused).toContain('not now');
  expect(await ask('machine', { action: 'pause', label: 'three' })).toMatch(
    /there is no virtual machine "three" \(there are init -> one, init -> two\)/,
  );
  expect(await ask('machine', { action: 'eject', label: 'two' })).toContain('action');
});

test('a machine that ends answers what was wanted of it, and too much is refused', async () => {
  const { machines, one, ask } = twoMachines();
  const asked = Array.from({ length: 17 }, () => ask('machine', { action: 'pause', label: 'one' }));
  expect(await asked.at(-1)).toContain('too much is wanted');
  const wished = Array.from({ length: 16 }, async () => one?.wish());
  await Promise.all(wished);
  const oneMore = one?.wish();
  await one?.[Symbol.asyncDispose]?.();
  expect(await asked[0]).toContain('the machine is gone');
  expect(await oneMore).toBeUndefined();
  expect(machines.all.length).toBe(1);
});

test.each([
  [[], /takes one of list, pause, resume, reset, poweroff, save, restore, media, screen, type, key/],
  [['eject', 'vmm'], /takes one of list/],
  [['list', 'vmm'], /takes no "vmm"/],
  [['pause'], /takes one label/],
  [['pause', 'a', 'b'], /takes one label/],
  [['screen', 'vmm'], /takes a label .* and the name of a file/],
  [['type', 'vmm', 'two', 'words'], /and a text, in quotes/],
  [['key', 'vmm'], /and one to eight keys/],
  [['media', 'a', 'cdrom'], /takes a label, cdrom or floppy, and a file or eject/],
  [['media', 'a', 'tape', 'eject'], /takes a label, cdrom or floppy/],
  [['media', 'a', 'cdrom', '/x.iso', '/y.iso'], /takes a label/],
])('ginit vm %j is refused', (args, problem) => {
  expect(parseRunning('vm', args)).toMatch(problem);
});
