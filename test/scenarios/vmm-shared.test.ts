/**
 * An unmodified Debian with a shared folder and a screen: what it writes to the folder is on the
 * disk behind that, its console is read from the pixels of its screen, and its keyboard types.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { textOn } from '../../packages/vmm/test/screen-text.ts';
import { GINIT, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { readPng } from '../harness/png.ts';
import { missingOf, mustRun, runProgram } from '../harness/programs.ts';
import { BOOT_MS, SerialPerson } from '../harness/serial-person.ts';

const FETCH_MS = 240_000;
const lacks = missingOf('apt-get', 'dpkg-deb', 'mke2fs', 'e2fsck', 'debugfs');

const configOf = (isolation: string): string =>
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
  <start name="fs" ram="16M"> <binary name="rumpfs"/> <provides> <service name="File_system"/> </provides>
    <config fs="auto"> <policy label_prefix="vmm" root="/" writeable="yes"/> </config>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="vmm" ram="128M" isolation="${isolation}"> <exit propagate="yes"/>
    <config>
      <kernel rom="linux"/> <initrd rom="initrd"/>
      <cmdline>console=tty0 console=ttyS0 quiet noisapnp cryptomgr.notests</cmdline>
      <shared label="data" tag="data" writeable="yes" uid="1000" gid="1000"/> <shared label="docs" tag="docs"/>
      <display framebuffer="no" input="no"/> <control/> <serial/>
    </config>
    <route>
      <service name="ROM" label="linux"> <child name="roms"/> </service>
      <service name="ROM" label="initrd"> <child name="roms"/> </service>
      <service name="Terminal"> <child name="terminal"/> </service>
      <service name="File_system"> <child name="fs"/> </service>
      <any-service> <parent/> </any-service>
    </route>
  </start>`).replace('<service name="Timer"/>', '$& <service name="Machine"/>');

test.skipIf(lacks !== undefined).for(['thread', 'process'])(
  `an unmodified Debian in a %s uses a shared folder, a screen and a keyboard (${lacks ?? 'with e2fsprogs'})`,
  { timeout: FETCH_MS + BOOT_MS },
  async (isolation, context) => {
    skipIfLong(context);
    using place = new Workplace();
    const fetched = await runProgram(
      process.execPath,
      [GINIT, 'guests', 'fetch', 'debian-i686', '--into', place.directory],
      { timeoutMs: FETCH_MS },
    );
    if (fetched.status !== 0) context.skip(`the guest is not to be had: ${fetched.text}`);
    const disk = place.path('disk.img');
    await mustRun('mke2fs', ['-q', '-t', 'ext2', disk, '32M']);
    place.write('config.xml', configOf(isolation));
    process.env['GINIT_RUNTIME_DIR'] = place.path('s');
    try {
      const system = new GinitRun(['config.xml'], place.directory, GINIT, '', BOOT_MS);
      await system.until('1 processor');
      const person = new SerialPerson(place.path('serial.sock'));
      expect(await person.run('mount -t 9p')).toMatch(/data on \/shared\/data type 9p/);
      await person.run('cd /shared/data; mkdir -p dir; echo hello > dir/file; ln -s dir/file link');
      await person.run('dd if=/dev/urandom of=noise bs=100k count=30 2> /dev/null; mv dir moved; sync');
      expect(await person.run('cat moved/file; readlink link; ls -ln moved/file')).toMatch(
        /hello\r\ndir\/file\r\n-rw-r--r-- +1 1000 +1000 +6/,
      );
      expect(await person.run('chown 5 moved/file')).toContain('Operation not permitted');
      expect(await person.run('echo x > /shared/docs/no')).toContain('Read-only file system');
      expect(await person.run('cat /shared/docs/moved/file')).toContain('hello');
      const blocks = /^data +(\d+) +\d+ +(\d+)/m.exec(await person.run('df -k /shared/data'));
      const freed = /Free blocks: +(\d+)/.exec(await mustRun('dumpe2fs', ['-h', disk]));
      expect(Number(blocks?.[1])).toBeGreaterThan(30_000);
      expect(Math.abs(Number(blocks?.[2]) - Number(freed?.[1]))).toBeLessThan(8000);
      const sum = /([0-9a-f]{32})  noise/.exec(await person.run('md5sum noise'))?.[1];

      await person.run(
        'printf "\\033[2J\\033[HThe screen of a guest\\n" > /dev/tty1; head -n 1 /dev/tty1 > typed & :',
      );
      expect(await place.run('vm', 'type', 'vmm', 'Typed text, 1 + 1')).toMatchObject({
        code: 0,
        stderr: '',
      });
      expect(await place.run('vm', 'key', 'vmm', 'enter')).toMatchObject({ code: 0, stderr: '' });
      await person.run('wait');
      expect(await person.run('cat typed')).toContain('Typed text, 1 + 1');
      expect(await place.run('vm', 'screen', 'vmm', place.path('screen.png'))).toMatchObject({
        code: 0,
        stderr: '',
      });
      const picture = readPng(readFileSync(place.path('screen.png')));
      expect([picture.width, picture.height]).toEqual([720, 400]);
      expect(textOn(picture)).toEqual(expect.arrayContaining(['The screen of a guest', 'Typed text, 1 + 1']));

      // Ctrl-C ends what runs in the shell, and neither the shell nor the machine.
      person.type('(echo begun; sleep 1000)\n');
      await person.until(/^begun/m);
      person.type('\x03');
      expect(await person.run('echo "it said $?"')).toContain('it said 130');

      person.type('cd /; poweroff\n');
      const { code } = await system.finished;
      expect([code, await system.leftOver()]).toEqual([0, []]);
      await mustRun('e2fsck', ['-fn', disk]);
      expect((await runProgram('debugfs', ['-R', 'cat /moved/file', disk])).stdout).toBe('hello\n');
      expect((await runProgram('debugfs', ['-R', 'stat /link', disk])).stdout).toContain('dir/file');
      await mustRun('debugfs', ['-R', `dump /noise ${place.path('noise')}`, disk]);
      expect(await mustRun('md5sum', [place.path('noise')])).toContain(sum ?? 'no sum');
    } finally {
      delete process.env['GINIT_RUNTIME_DIR'];
    }
  },
);
