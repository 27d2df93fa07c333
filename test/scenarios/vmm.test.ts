/**
 * The virtual machine monitor under ginit: wherever it runs, its libraries are there; and an
 * unmodified Debian uses a disk. The guest is fetched unless it is in the user's cache.
 */
import { afterEach, expect, test } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { Program } from '../../packages/vmm/test/tiny-guest.ts';
import { GINIT, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { JAILABLE } from '../harness/jailable.ts';
import { missingOf, mustRun, runProgram } from '../harness/programs.ts';
import { BOOT_MS, SerialPerson } from '../harness/serial-person.ts';

afterEach(() => {
  delete process.env['GINIT_RUNTIME_DIR'];
});

test('a machine runs in a thread, in a process and, where there are jails, in a jail', async () => {
  using place = new Workplace();
  place.write('linux', new Program().print('a guest is here\n').halt().kernel());
  // This one never ends.
  place.write('endless', new Program().print('here I stay\n').raw(0xeb, 0xfe).kernel());
  const places = {
    thread: '',
    process: 'isolation="process"',
    ...(JAILABLE ? { jail: 'isolation="jail"' } : {}),
  };
  const machine = ([name, isolation]: [string, string]): string => `
    <start name="${name}" ram="20M" ${isolation}> <binary name="vmm"/>
      <config> <kernel rom="linux"/> <serial/> </config>
      <route>
        <service name="ROM" label="linux"> <child name="roms"/> </service>
        <service name="Terminal"> <child name="terminal_log"/> </service>
        <any-service> <parent/> </any-service>
      </route>
    </start>`;
  place.write(
    'config.xml',
    systemConfig(`
    <start name="roms"> <binary name="host_rom"/> <provides> <service name="ROM"/> </provides>
      <host> <file path="linux"/> <file path="endless"/> </host>
      <config> <rom name="linux"/> <rom name="endless"/> </config>
    </start>
    <start name="terminal_log"> <provides> <service name="Terminal"/> </provides> </start>
    ${Object.entries(places).map(machine).join('')}
    <start name="kept" ram="20M"> <binary name="vmm"/>
      <config> <kernel rom="endless"/> <control/> </config>
      <route> <service name="ROM" label="endless"> <child name="roms"/> </service> <any-service> <parent/> </any-service> </route>
    </start>`).replace('<service name="Timer"/>', '$& <service name="Machine"/>'),
  );
  process.env['GINIT_RUNTIME_DIR'] = place.path('s');
  const system = place.start('config.xml');
  for (const name of Object.keys(places)) {
    await system.until(`[init -> terminal_log] ${name} -> serial: a guest is here`);
    await system.until(`[init -> ${name}] the guest has stopped its processor`);
  }
  await system.until('[init -> kept] v86');
  expect(await place.run('vm', 'pause', 'kept')).toMatchObject({ code: 0, stderr: '' });
  expect((await place.run('vm', 'list')).stdout).toMatch(
    /^init -> kept  paused  \d.*  v86 .*; by ginit vm$/m,
  );
  system.child.kill('SIGTERM');
  expect((await system.finished).code).toBe(0);
});

const FETCH_MS = 240_000;

const lacks = missingOf('apt-get', 'dpkg-deb', 'mke2fs', 'e2fsck', 'debugfs');

test.skipIf(lacks !== undefined)(
  `an unmodified Debian writes to a disk behind a cache, and what it wrote is there after it has switched off (${lacks ?? 'with e2fsprogs'})`,
  async (context) => {
    skipIfLong(context);
    using place = new Workplace();
    const fetched = await runProgram(
      process.execPath,
      [GINIT, 'guests', 'fetch', 'debian-i686', '--into', place.directory],
      { timeoutMs: FETCH_MS },
    );
    if (fetched.status !== 0) context.skip(`the guest is not to be had: ${fetched.text}`);
    const disk = place.path('disk.img');
    await mustRun('mke2fs', ['-q', '-t', 'ext4', disk, '32M']);
    place.write(
      'config.xml',
      systemConfig(`
      <start name="roms" ram="32M"> <binary name="host_rom"/> <provides> <service name="ROM"/> </provides>
        <host> <file path="debian-i686/linux"/> <file path="debian-i686/initrd"/> </host>
        <config> <rom name="linux" file="debian-i686/linux"/> <rom name="initrd" file="debian-i686/initrd"/> </config>
      </start>
      <start name="terminal" ram="8M"> <binary name="socket_terminal"/>
        <provides> <service name="Terminal"/> </provides>
        <host> <unix listen="serial.sock"/> </host>
        <config> <policy label_prefix="vmm" listen="unix:serial.sock"/> </config>
      </start>
      <start name="disk" ram="8M"> <binary name="file_block"/> <provides> <service name="Block"/> </provides>
        <host> <file path="disk.img" access="rw"/> </host>
        <config file="disk.img" block_size="512" writeable="yes"/>
      </start>
      <start name="cache" ram="16M"> <binary name="blockcache"/> <provides> <service name="Block"/> </provides>
        <config mode="write-back"/>
        <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
      </start>
      <start name="vmm" ram="110M"> <exit propagate="yes"/>
        <config>
          <kernel rom="linux"/> <initrd rom="initrd"/>
          <cmdline>console=ttyS0 quiet noisapnp cryptomgr.notests</cmdline>
          <disk label="root" writeable="yes"/> <serial/>
        </config>
        <route>
          <service name="ROM" label="linux"> <child name="roms"/> </service>
          <service name="ROM" label="initrd"> <child name="roms"/> </service>
          <service name="Terminal"> <child name="terminal"/> </service>
          <service name="Block"> <child name="cache"/> </service>
          <any-service> <parent/> </any-service>
        </route>
      </start>`),
    );
    const system = new GinitRun(['config.xml'], place.directory, GINIT, '', BOOT_MS);
    await system.until('1 processor');
    const person = new SerialPerson(place.path('serial.sock'));
    expect(await person.run('uname -sm')).toMatch(/^Linux i686\r$/m);
    await person.run('mount /dev/vda /mnt && dd if=/dev/urandom of=/mnt/noise bs=64k count=32 2> /dev/null');
    const sum = /([0-9a-f]{32})  \/mnt\/noise/.exec(await person.run('sync; md5sum /mnt/noise'))?.[1];
    await person.run('echo text > /mnt/file');
    person.type('poweroff\n');
    const { code, stdout } = await system.finished;
    expect([code, stdout]).toEqual([0, expect.stringContaining('the guest has stopped its processor')]);
    expect(await system.leftOver()).toEqual([]);
    expect((await runProgram('debugfs', ['-R', 'cat /file', disk])).stdout).toBe('text\n');
    await mustRun('debugfs', ['-R', `dump /noise ${place.path('noise')}`, disk]);
    expect(await mustRun('md5sum', [place.path('noise')])).toContain(sum ?? 'no sum');
    await mustRun('e2fsck', ['-fn', disk]);
  },
  FETCH_MS + BOOT_MS,
);
