/**
 * An unmodified Debian under the virtual machine monitor is saved while it writes to its disk, and
 * goes on in another run of ginit.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { GINIT, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { missingOf, mustRun, runProgram } from '../harness/programs.ts';
import { BOOT_MS, SerialPerson } from '../harness/serial-person.ts';

const FETCH_MS = 240_000;
/** The guest sleeps for so long between its two lives. */
const ASLEEP_MS = 60_000;
/** The most that its clock is wrong by. */
const LATE_MS = 2000;

/** A disk of a file. */
function diskOf(name: string): string {
  return `<start name="${name}" ram="8M"> <binary name="file_block"/> <provides> <service name="Block"/> </provides>
    <host> <file path="${name}.img" access="rw"/> </host>
    <config file="${name}.img" block_size="512" writeable="yes"/>
  </start>`;
}

const SYSTEM = systemConfig(`
  <start name="roms" ram="32M"> <binary name="host_rom"/> <provides> <service name="ROM"/> </provides>
    <host> <file path="debian-i686/linux"/> <file path="debian-i686/initrd"/> </host>
    <config> <rom name="linux" file="debian-i686/linux"/> <rom name="initrd" file="debian-i686/initrd"/> </config>
  </start>
  <start name="terminal" ram="8M"> <binary name="socket_terminal"/>
    <provides> <service name="Terminal"/> </provides>
    <host> <unix listen="serial.sock"/> </host>
    <config> <policy label_prefix="vmm" listen="unix:serial.sock"/> </config>
  </start>
  ${diskOf('disk')}
  ${diskOf('states')}
  <start name="cache" ram="16M"> <binary name="blockcache"/> <provides> <service name="Block"/> </provides>
    <config mode="write-back"/>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="fs" ram="16M"> <binary name="rumpfs"/> <provides> <service name="File_system"/> </provides>
    <config> <default-policy writeable="yes"/> </config>
    <route> <service name="Block"> <child name="states"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="vmm" ram="110M"> <exit propagate="yes"/>
    <config on_stop="save">
      <kernel rom="linux"/> <initrd rom="initrd"/>
      <cmdline>console=ttyS0 quiet noisapnp cryptomgr.notests</cmdline>
      <disk label="root" writeable="yes"/> <serial/> <state file="/linux.state" restore="auto"/>
    </config>
    <route>
      <service name="ROM" label="linux"> <child name="roms"/> </service>
      <service name="ROM" label="initrd"> <child name="roms"/> </service>
      <service name="Terminal"> <child name="terminal"/> </service>
      <service name="Block"> <child name="cache"/> </service>
      <service name="File_system"> <child name="fs"/> </service>
      <any-service> <parent/> </any-service>
    </route>
  </start>`);

const lacks = missingOf('apt-get', 'dpkg-deb', 'mke2fs', 'e2fsck', 'debugfs');

test.skipIf(lacks !== undefined)(
  `an unmodified Debian that is saved while it writes goes on a minute later, with the right time and a clean disk (${lacks ?? 'with e2fsprogs'})`,
  async (context) => {
    skipIfLong(context);
    using place = new Workplace();
    const fetched = await runProgram(
      process.execPath,
      [GINIT, 'guests', 'fetch', 'debian-i686', '--into', place.directory],
      { timeoutMs: FETCH_MS },
    );
    if (fetched.status !== 0) context.skip(`the guest is not to be had: ${fetched.text}`);
    await mustRun('mke2fs', ['-q', '-t', 'ext4', place.path('disk.img'), '32M']);
    await mustRun('mke2fs', ['-q', '-t', 'ext2', place.path('states.img'), '160M']);
    place.write('config.xml', SYSTEM);
    const first = new GinitRun(['config.xml'], place.directory, GINIT, '', BOOT_MS);
    await first.until('1 processor');
    const person = new SerialPerson(place.path('serial.sock'));
    await person.run('mount /dev/vda /mnt && cd /mnt');
    // Eight writers at a time, whose sums tell at the end whether anything was lost or twice there.
    await person.run(
      'for n in 1 2 3 4 5 6 7 8; do (while [ -e /tmp ]; do dd if=/dev/urandom of=f$n.new bs=16k count=8 conv=fsync; md5sum < f$n.new > s$n.new; mv f$n.new f$n; mv s$n.new s$n; done) 2> /dev/null & done',
    );
    await sleep(5000);
    first.child.kill('SIGTERM');
    const saved = await first.finished;
    expect([saved.code, saved.stdout]).toEqual([
      0,
      expect.stringMatching(/the machine was saved in .*: \d+ MiB/),
    ]);

    await sleep(ASLEEP_MS);
    const second = new GinitRun(['config.xml'], place.directory, GINIT, '', BOOT_MS);
    await second.until('the guest goes on from the state "/linux.state"');
    await sleep(2000);
    const again = new SerialPerson(place.path('serial.sock'));
    again.type('\n');
    // The guest has a lot to do, so it is asked until it has taken the time.
    for (let lateMs = Infinity; lateMs > LATE_MS; ) {
      const beforeMs = Date.now();
      const seconds = Number(/^(\d{10})\r$/m.exec(await again.run('date +%s'))?.[1]);
      expect(seconds * 1000).toBeLessThan(Date.now() + LATE_MS);
      lateMs = beforeMs - seconds * 1000;
    }
    await again.run('rmdir /tmp; wait $(jobs -p) 2> /dev/null; sleep 3; sync');
    await again.run('for n in 1 2 3 4 5 6 7 8; do md5sum < f$n | cmp - s$n && echo same $n; done');
    expect(again.seen.match(/^same \d/gm)?.length).toBe(8);
    again.type('poweroff\n');
    expect((await second.finished).code).toBe(0);
    expect(await second.leftOver()).toEqual([]);
    await mustRun('e2fsck', ['-fn', place.path('disk.img')]);
    await mustRun('e2fsck', ['-fn', place.path('states.img')]);
    // The state was used up.
    expect((await runProgram('debugfs', ['-R', 'ls /', place.path('states.img')])).stdout).not.toContain(
      'linux.state',
    );
  },
  FETCH_MS + 3 * BOOT_MS,
);
