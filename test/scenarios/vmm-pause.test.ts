/** A guest that was paused for a minute shows the host's time when it goes on, on both engines. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GinitRun, Workplace } from '../harness/ginit.ts';
import { allLongIf } from '../harness/long.ts';
import { fetchGuest, furnish, lacksQemu, startQemuSystem } from '../harness/qemu-system.ts';
import { BOOT_MS, SerialPerson } from '../harness/serial-person.ts';
import {
  fileDisk,
  lacksDebian,
  makeDisk,
  placeDebian,
  startV86System,
  v86System,
} from '../harness/v86-system.ts';

const PAUSED_MS = 60_000;
/** The most that its clock is wrong by. */
const LATE_MS = 2000;

/** How far the guest's clock is behind the host's, to the second. */
async function lateMs(person: SerialPerson): Promise<number> {
  const beforeMs = Date.now();
  const seconds = Number(/^(\d{10})\r$/m.exec(await person.run('date +%s'))?.[1]);
  expect(seconds * 1000).toBeLessThan(Date.now() + LATE_MS);
  return beforeMs - seconds * 1000;
}

/** Pauses the machine for a minute. */
async function pauseAndLook(place: Workplace, system: GinitRun, socket: string): Promise<void> {
  const person = new SerialPerson(place.path(socket));
  await person.run('dmesg -n 7');
  expect(await lateMs(person)).toBeLessThan(LATE_MS);
  expect(await place.run('vm', 'pause', 'vmm')).toMatchObject({ code: 0, stderr: '' });
  await sleep(PAUSED_MS);
  expect(await place.run('vm', 'resume', 'vmm')).toMatchObject({ code: 0, stderr: '' });
  await sleep(LATE_MS);
  // What the kernel says of its pause must not stand behind a prompt.
  person.type('\n');
  expect(await lateMs(person)).toBeLessThan(LATE_MS);
  expect(await person.run('dmesg')).not.toMatch(/lockup|stall|unstable/);
  system.child.kill('SIGTERM');
  expect((await system.finished).code).toBe(0);
  expect(await system.leftOver()).toEqual([]);
}

describe('a minute of pause', () => {
  allLongIf(true);
  let place: Workplace;
  beforeAll(() => {
    place = new Workplace();
    process.env['GINIT_RUNTIME_DIR'] = place.path('run');
  });
  afterAll(() => {
    delete process.env['GINIT_RUNTIME_DIR'];
    place[Symbol.dispose]();
  });

  test.skipIf(lacksDebian !== undefined)(
    `on v86 (${lacksDebian ?? 'with e2fsprogs'})`,
    async (context) => {
      const why = await placeDebian(place);
      if (why !== undefined) context.skip(`the guest is not to be had: ${why}`);
      await makeDisk(place, 'disk', 'ext2', '8M');
      place.write('config.xml', v86System([{}], fileDisk('disk')));
      await pauseAndLook(place, await startV86System(place), 'vmm.sock');
    },
    3 * BOOT_MS,
  );

  test.skipIf(lacksQemu !== undefined)(
    `on QEMU (${lacksQemu ?? 'with qemu-system-x86_64'})`,
    async (context) => {
      const why = await fetchGuest('debian-amd64');
      if (why !== undefined) context.skip(`the guest is not to be had: ${why}`);
      await furnish(place);
      await pauseAndLook(place, await startQemuSystem(place, { config: '<control/>' }), 'serial.sock');
    },
    3 * BOOT_MS,
  );
});
