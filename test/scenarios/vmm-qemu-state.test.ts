/**
 * An unmodified Debian of 64 bits on the engine QEMU is saved while it writes to its disk, and goes
 * on in another run of ginit; a state that does not fit is refused; a disk without space holds it.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type GinitRun, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { mustRun, runProgram } from '../harness/programs.ts';
import {
  FETCH_MS,
  fetchGuest,
  furnish,
  lacksQemu,
  qemuSystem,
  startQemuSystem,
} from '../harness/qemu-system.ts';
import { BOOT_MS, SerialPerson } from '../harness/serial-person.ts';

/** The guest sleeps for so long between its two lives. */
const ASLEEP_MS = 60_000;
/** The most that its clock is wrong by, once it has looked. */
const LATE_MS = 2000;
/** Writers at a time. */
const WRITERS = '1 2 3 4';

const STATES = `
  <start name="states" ram="8M"> <binary name="file_block"/> <provides> <service name="Block"/> </provides>
    <host> <file path="states.img" access="rw"/> </host>
    <config file="states.img" block_size="512" writeable="yes"/>
  </start>
  <start name="fs" ram="16M"> <binary name="rumpfs"/> <provides> <service name="File_system"/> </provides>
    <config> <default-policy writeable="yes"/> </config>
    <route> <service name="Block"> <child name="states"/> </service> <any-service> <parent/> </any-service> </route>
  </start>`;
const SAVED = {
  attributes: 'on_stop="save"',
  config: '<state file="/linux.state" restore="auto"/> <control/>',
  starts: STATES,
  routes: '<service name="File_system"> <child name="fs"/> </service>',
};
const FULL = {
  config: '<control/>',
  starts: `<start name="full" ram="8M"> <binary name="fault_block"/> <provides> <service name="Block"/> </provides>
    <config> <error operation="write" code="CODE" one_in="1" after="40" most="3"/> <default-policy writeable="yes"/> </config>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>`,
  routes: '<service name="Block"> <child name="full"/> </service>',
};

describe.skipIf(lacksQemu !== undefined)(
  `a machine on QEMU that stands still (${lacksQemu ?? 'installed'})`,
  () => {
    let problem: string | undefined;
    beforeAll(async () => {
      problem = await fetchGuest('debian-amd64');
    }, FETCH_MS);
    beforeEach((context) => {
      skipIfLong(context);
      if (problem !== undefined) context.skip(`the guest is not to be had: ${problem}`);
    });

    /** Starts the machine again, of which the state is refused; the error. */
    async function refused(place: Workplace, config: string): Promise<string> {
      place.write('config.xml', config);
      const { code, stdout, stderr } = await place.runLong(BOOT_MS, 'config.xml');
      expect(code).not.toBe(0);
      return stdout + stderr;
    }

    async function clockIsRight(person: SerialPerson): Promise<void> {
      for (let lateMs = Infinity; lateMs > LATE_MS; ) {
        const beforeMs = Date.now();
        const seconds = Number(/^(\d{10})\r$/m.exec(await person.run('date +%s'))?.[1]);
        expect(seconds * 1000).toBeLessThan(Date.now() + LATE_MS);
        lateMs = beforeMs - seconds * 1000;
      }
    }

    test(
      'goes on where it was saved while it wrote, with the right time, and with no other disk or memory',
      async () => {
        using place = new Workplace();
        process.env['GINIT_RUNTIME_DIR'] = place.path('s');
        try {
          await furnish(place);
          await mustRun('mke2fs', ['-q', '-t', 'ext2', place.path('states.img'), '300M']);
          const first = await startQemuSystem(place, SAVED);
          const person = new SerialPerson(place.path('serial.sock'));
          await person.run('mount /dev/vda /mnt && cd /mnt');
          await person.run(
            `for n in ${WRITERS}; do (while [ -e /tmp ]; do dd if=/dev/urandom of=f$n.new bs=16k count=8 conv=fsync; md5sum < f$n.new > s$n.new; mv f$n.new f$n; mv s$n.new s$n; done) 2> /dev/null & done`,
          );
          await sleep(3000);
          expect(await place.run('vm', 'save', 'vmm')).toMatchObject({ code: 0, stderr: '' });
          // While it stands still; then it goes on from there, as if nothing had been.
          expect(await place.run('vm', 'restore', 'vmm')).toMatchObject({ code: 0, stderr: '' });
          await person.run('true');
          first.child.kill('SIGTERM');
          const saved = await first.finished;
          expect([saved.code, saved.stdout]).toEqual([
            0,
            expect.stringMatching(/the machine was saved in .*: \d+ MiB/),
          ]);

          await sleep(ASLEEP_MS);
          const smaller = qemuSystem({ ...SAVED, ram: '240M' });
          expect(await refused(place, smaller)).toMatch(
            /is of another machine: memory was \d+ MiB \(\d+ bytes\) there, and is \d+ MiB/,
          );
          const wider = qemuSystem({ ...SAVED, config: `${SAVED.config} <cpu count="2"/>` });
          expect(await refused(place, wider)).toContain('processors was 1 (tcg) there, and is 2 (tcg) here');
          await withByte(place.path('disk.img'), 1, async () => {
            expect(await refused(place, qemuSystem(SAVED))).toMatch(
              /the disk "root" was written since: its fingerprint was [0-9a-f]{8}, and is [0-9a-f]{8} now/,
            );
          });

          const second = await startQemuSystem(place, SAVED);
          await second.until('the guest goes on from the state "/linux.state"');
          const again = new SerialPerson(place.path('serial.sock'));
          again.type('\n');
          await clockIsRight(again);
          await again.run('rmdir /tmp; wait $(jobs -p) 2> /dev/null; sleep 2; sync');
          await again.run(`for n in ${WRITERS}; do md5sum < f$n | cmp - s$n && echo same $n; done`);
          expect(again.seen.match(/^same \d/gm)?.length).toBe(4);
          await switchesOff(second, again);
        } finally {
          delete process.env['GINIT_RUNTIME_DIR'];
        }
        await mustRun('e2fsck', ['-fn', place.path('disk.img')]);
        await mustRun('e2fsck', ['-fn', place.path('states.img')]);
        const states = await runProgram('debugfs', ['-R', 'ls /', place.path('states.img')]);
        expect(states.stdout).not.toContain('linux.state');
      },
      4 * BOOT_MS,
    );

    test.each(['NoSpace', 'Gone'])(
      'is paused with its request while its disk fails by %s, says so, and goes on',
      async (code) => {
        using place = new Workplace();
        process.env['GINIT_RUNTIME_DIR'] = place.path('s');
        try {
          await furnish(place);
          const system = await startQemuSystem(place, { ...FULL, starts: FULL.starts.replace('CODE', code) });
          const person = new SerialPerson(place.path('serial.sock'));
          await person.run('mount /dev/vda /mnt; cd /mnt');
          person.type(
            'dd if=/dev/urandom of=noise bs=64k count=128 conv=fsync; md5sum noise | tee sum; sync\n',
          );
          const list = async (): Promise<string> => (await place.run('vm', 'list')).stdout;
          await expect
            .poll(list, { timeout: BOOT_MS, interval: 500 })
            .toMatch(new RegExp(`^init -> vmm  paused  .*  QEMU .*; the disk "root" fails: ${code}$`, 'm'));
          // Each request that failed is tried again when the machine goes on; some may fail anew.
          for (let times = 0; times < 4 && (await list()).includes('paused'); times++) {
            expect(await place.run('vm', 'resume', 'vmm')).toMatchObject({ code: 0, stderr: '' });
            await sleep(1000);
          }
          await person.until(/[0-9a-f]{32} {2}noise/);
          expect(await person.run('md5sum -c sum; cd /')).toContain('noise: OK');
          await switchesOff(system, person);
        } finally {
          delete process.env['GINIT_RUNTIME_DIR'];
        }
        await mustRun('e2fsck', ['-fn', place.path('disk.img')]);
      },
      2 * BOOT_MS,
    );

    test(
      'starts its kernel anew when its guest reboots, once',
      async () => {
        using place = new Workplace();
        await furnish(place);
        const system = await startQemuSystem(place, {});
        const person = new SerialPerson(place.path('serial.sock'));
        await person.run('mount /dev/vda /mnt; echo kept > /mnt/file; umount /mnt');
        person.type('reboot\n');
        await system.until('the guest starts anew');
        person.seen = '';
        expect(await person.run('mount /dev/vda /mnt; cat /mnt/file')).toContain('kept');
        await switchesOff(system, person);
        expect(system.stdout.match(/the guest starts anew/g)).toHaveLength(1);
      },
      2 * BOOT_MS,
    );
  },
);

async function switchesOff(system: GinitRun, person: SerialPerson): Promise<void> {
  person.type('cd /; poweroff\n');
  expect((await system.finished).code).toBe(0);
  expect(await system.leftOver()).toEqual([]);
}

/** Changes the byte of a file at a position, for as long as `act` runs. */
async function withByte(file: string, position: number, act: () => Promise<void>): Promise<void> {
  const handle = openSync(file, 'r+');
  try {
    const before = Buffer.alloc(1);
    readSync(handle, before, 0, 1, position);
    writeSync(handle, Buffer.of((before[0] ?? 0) ^ 1), 0, 1, position);
    await act();
    writeSync(handle, before, 0, 1, position);
  } finally {
    closeSync(handle);
  }
}
