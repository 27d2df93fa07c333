/**
 * Two machines on v86 run side by side, in threads and in processes of their own: neither costs the
 * other anything but a CPU. On a machine that has more to do wall-clock times say nothing, so what
 * is compared is how many instructions each runs in the time that its thread has a CPU.
 */
import { isRecord } from '@ginit/core';
import { expect, test } from 'vitest';
import { Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { BOOT_MS, SerialPerson } from '../harness/serial-person.ts';
import {
  fileDisk,
  lacksDebian,
  makeDisk,
  placeDebian,
  startV86System,
  v86System,
} from '../harness/v86-system.ts';

/** How fast one may be beside the other, of its speed alone. Two threads of a core share caches. */
const SPEED_LEAST = 0.6;
/** A measurement takes so much time of a CPU. */
const MEASURED_US = 3_000_000;
const LOAD = '(while :; do md5sum /linuxrc /bin/busybox; done > /dev/null 2>&1 &)';

/** What a machine and its component have done. */
interface Done {
  readonly instructions: number;
  readonly cpuUs: number;
  readonly thread: string;
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce((inner, name) => (isRecord(inner) ? inner[name] : undefined), value);
}

function listAt(value: unknown, name: string): readonly unknown[] {
  const found = at(value, name);
  return Array.isArray(found) ? found : [];
}

async function doneBy(place: Workplace, name: string): Promise<Done> {
  const label = `init -> ${name}`;
  const [list, tree] = await Promise.all([place.run('vm', 'list', '--json'), place.run('ps', '--json')]);
  const machine = listAt(JSON.parse(list.stdout), 'machines').find((one) => at(one, 'label') === label);
  const component = listAt(JSON.parse(tree.stdout), 'components').find((one) => at(one, 'label') === label);
  return {
    instructions: Number(at(machine, 'metrics', 'instructions')),
    cpuUs: Number(at(component, 'cpuUs')),
    thread: `${at(component, 'pid')}/${at(component, 'thread')}`,
  };
}

/** Million instructions in a second of a CPU, measured for all of them at the same time. */
async function speeds(place: Workplace, names: readonly string[]): Promise<number[]> {
  const before = await Promise.all(names.map((name) => doneBy(place, name)));
  const measured: number[] = [];
  const measure = async (): Promise<boolean> => {
    const after = await Promise.all(names.map((name) => doneBy(place, name)));
    const enough = after.every(({ cpuUs }, index) => cpuUs - (before[index]?.cpuUs ?? 0) >= MEASURED_US);
    for (const [index, { instructions, cpuUs }] of after.entries())
      measured[index] =
        (instructions - (before[index]?.instructions ?? 0)) / (cpuUs - (before[index]?.cpuUs ?? 0));
    return enough;
  };
  await expect.poll(measure, { timeout: BOOT_MS, interval: 500 }).toBe(true);
  return measured;
}

test.skipIf(lacksDebian !== undefined).for(['thread', 'process'] as const)(
  `two machines on v86, each a %s, run at full speed each (${lacksDebian ?? 'with e2fsprogs'})`,
  { timeout: 4 * BOOT_MS },
  async (isolation, context) => {
    skipIfLong(context);
    using place = new Workplace();
    const problem = await placeDebian(place);
    if (problem !== undefined) context.skip(`the guest is not to be had: ${problem}`);
    process.env['GINIT_RUNTIME_DIR'] = place.path('s');
    try {
      const names = ['one', 'two'];
      for (const name of names) await makeDisk(place, `disk-${name}`, 'ext2', '1M');
      const common = { isolation, exit: false, attributes: 'on_stop="kill"' };
      const machines = names.map((name) => ({ ...common, name, disk: `disk-${name}` }));
      place.write('config.xml', v86System(machines, machines.map(({ disk }) => fileDisk(disk)).join('')));
      const system = await startV86System(place, 2);
      const people = names.map((name) => new SerialPerson(place.path(`${name}.sock`)));
      // Both boot side by side; then the other one has nothing to do.
      await Promise.all(people.map((person) => person.run('true')));
      await people[0]?.run(LOAD);
      const [alone = 0] = await speeds(place, ['one']);
      await people[1]?.run(LOAD);
      const [one = 0, two = 0] = await speeds(place, names);
      const told = `alone ${alone.toFixed(1)}, together ${one.toFixed(1)} and ${two.toFixed(1)} million instructions in a second of a CPU`;
      expect(Math.min(one, two) / alone, told).toBeGreaterThan(SPEED_LEAST);
      const threads = await Promise.all(names.map(async (name) => (await doneBy(place, name)).thread));
      expect(new Set(threads).size).toBe(2);
      system.child.kill('SIGTERM');
      expect((await system.finished).code).toBe(0);
      expect(await system.leftOver()).toEqual([]);
    } finally {
      delete process.env['GINIT_RUNTIME_DIR'];
    }
  },
);
