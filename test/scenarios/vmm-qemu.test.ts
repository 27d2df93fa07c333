/**
 * The engine QEMU under ginit, with an unmodified Debian of 64 bits: what it writes is on the disk,
 * and nothing of QEMU is left, whatever dies. All of it boots a guest, so it is long.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type GinitRun, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { mustRun, runProgram } from '../harness/programs.ts';
import {
  FETCH_MS,
  fetchGuest,
  furnish,
  lacksQemu,
  QEMU,
  type QemuWish,
  startQemuSystem,
} from '../harness/qemu-system.ts';
import { BOOT_MS, SerialPerson } from '../harness/serial-person.ts';

/** Processes of QEMU that run in this directory's system: those with its mark in a command line. */
const running = (mark: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  });

/** Private directories whose keeper is gone. */
const abandoned = (): string[] =>
  readdirSync('/tmp').filter((name) => {
    const keeper = /^ginit-run-(\d+)-/.exec(name)?.[1];
    return keeper !== undefined && !existsSync(`/proc/${keeper}`);
  });

describe.skipIf(lacksQemu !== undefined)(`a machine on QEMU (${lacksQemu ?? 'installed'})`, () => {
  let problem: string | undefined;
  let count = 0;

  beforeAll(async () => {
    problem = await fetchGuest('debian-amd64');
  }, FETCH_MS);

  beforeEach((context) => {
    skipIfLong(context);
    if (problem !== undefined) context.skip(`the guest is not to be had: ${problem}`);
  });

  async function prepared(place: Workplace, wish: QemuWish): Promise<{ system: GinitRun; mark: string }> {
    const mark = `ginit-test-${process.pid}-${++count}`;
    await furnish(place, wish);
    return { system: await startQemuSystem(place, { ...wish, mark }), mark };
  }

  test.each(['process', 'thread'])(
    'writes to its disk, and what it wrote is there after it has switched off (%s)',
    async (isolation) => {
      using place = new Workplace();
      const { system, mark } = await prepared(place, { isolation, config: '<cpu count="2"/>' });
      const person = new SerialPerson(place.path('serial.sock'));
      expect(await person.run('uname -sm; nproc')).toMatch(/^Linux x86_64\r\n2\r$/m);
      await person.run(
        'mount /dev/vda /mnt && dd if=/dev/urandom of=/mnt/noise bs=64k count=64 2> /dev/null',
      );
      const sum = /([0-9a-f]{32})  \/mnt\/noise/.exec(await person.run('sync; md5sum /mnt/noise'))?.[1];
      await person.run('fstrim /mnt; echo text > /mnt/file');
      person.type('poweroff\n');
      const { code, stdout } = await system.finished;
      expect([code, stdout]).toEqual([0, expect.stringContaining('the guest has stopped its processor')]);
      expect(stdout).toMatch(
        /tcg \(\/dev\/kvm is not granted\), 2 processors, \d+ MiB: its kernel is one for 64 bits/,
      );
      expect(await system.leftOver()).toEqual([]);
      expect(running(mark)).toEqual([]);
      const disk = place.path('disk.img');
      expect((await runProgram('debugfs', ['-R', 'cat /file', disk])).stdout).toBe('text\n');
      await mustRun('debugfs', ['-R', `dump /noise ${place.path('noise')}`, disk]);
      expect(await mustRun('md5sum', [place.path('noise')])).toContain(sum ?? 'no sum');
      await mustRun('e2fsck', ['-fn', disk]);
    },
    2 * BOOT_MS,
  );

  test(
    'is acted on: it pauses, goes on, starts anew, and switches off when its button is pressed',
    async () => {
      using place = new Workplace();
      process.env['GINIT_RUNTIME_DIR'] = place.path('s');
      const { system } = await prepared(place, { config: '<control/>' });
      const person = new SerialPerson(place.path('serial.sock'));
      await person.run('true');
      expect(await place.run('vm', 'pause', 'vmm')).toMatchObject({ code: 0, stderr: '' });
      expect((await place.run('vm', 'list')).stdout).toMatch(
        /^init -> vmm  paused  \d+\.\d\ds  -  +-  +\d.*  QEMU .*; by ginit vm$/m,
      );
      expect(await place.run('vm', 'resume', 'vmm')).toMatchObject({ code: 0, stderr: '' });
      await person.run('true');
      expect(await place.run('vm', 'reset', 'vmm')).toMatchObject({ code: 0, stderr: '' });
      person.seen = '';
      await person.run('true');
      system.child.kill('SIGTERM');
      const { code, stdout } = await system.finished;
      delete process.env['GINIT_RUNTIME_DIR'];
      expect([code, stdout]).toEqual([0, expect.stringContaining('the power button is pressed')]);
      expect(person.seen).toContain('reboot: Power down');
      expect(stdout).not.toContain('has not switched off in time');
    },
    3 * BOOT_MS,
  );

  test.each(['ginit', 'its component', 'QEMU'] as const)(
    'leaves nothing behind when %s is killed',
    async (victim) => {
      using place = new Workplace();
      const { system, mark } = await prepared(place, {});
      expect(running(mark)).toHaveLength(1);
      const [qemu] = running(mark);
      if (victim === 'ginit') system.child.kill('SIGKILL');
      else process.kill(Number(victim === 'QEMU' ? qemu : parentOf(parentOf(qemu ?? ''))), 'SIGKILL');
      const { stdout, stderr, code } = await system.finished;
      if (victim === 'QEMU') {
        expect(code).toBe(1);
        expect(stdout).toContain(`the engine has failed: "${QEMU}" was ended by SIGKILL`);
      }
      if (victim === 'its component') expect(stderr).toContain('[init -> vmm]');
      await expect.poll(() => running(mark), { timeout: 20_000 }).toEqual([]);
      await expect.poll(abandoned, { timeout: 20_000 }).toEqual([]);
      expect(await system.leftOver()).toEqual([]);
      await mustRun('e2fsck', ['-fn', place.path('disk.img')]);
    },
    BOOT_MS,
  );
});

/** The parent of a process: that of QEMU is its warden, and that of the warden the component. */
function parentOf(pid: string): string {
  return /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
}
