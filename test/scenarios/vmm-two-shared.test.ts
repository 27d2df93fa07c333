/**
 * One folder, and two guests that use it at once: an unmodified Debian on v86, which has a device
 * of 9P, and the same on QEMU, which has a port.
 */
import { describe, expect, test } from 'vitest';
import { GINIT, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { mustRun, runProgram } from '../harness/programs.ts';
import { FETCH_MS, lacksQemu, QEMU } from '../harness/qemu-system.ts';
import { BOOT_MS, SerialPerson } from '../harness/serial-person.ts';

const GUEST = 'debian-i686';

/** A machine on an engine, with a share that it may write. */
function machine(name: string, engine: 'v86' | 'qemu', ram: string, isolation: string): string {
  const grant = engine === 'qemu' ? `<host> <program path="${QEMU}"/> </host>` : '';
  return `<start name="${name}" ram="${ram}" isolation="${isolation}"> <binary name="vmm"/> ${grant}
    <config engine="${engine}">
      <kernel rom="linux"/> <initrd rom="initrd"/>
      <cmdline>console=ttyS0 quiet noisapnp cryptomgr.notests no_timer_check</cmdline>
      <shared label="data" writeable="yes"/> <serial/>
    </config>
    <route>
      <service name="ROM" label="linux"> <child name="roms"/> </service>
      <service name="ROM" label="initrd"> <child name="roms"/> </service>
      <service name="Terminal"> <child name="terminal"/> </service>
      <service name="File_system"> <child name="fs"/> </service>
      <any-service> <parent/> </any-service>
    </route>
  </start>`;
}

const configOf = (isolation: string): string =>
  systemConfig(`
  <start name="roms" ram="32M"> <binary name="host_rom"/> <provides> <service name="ROM"/> </provides>
    <host> <file path="${GUEST}/linux"/> <file path="${GUEST}/initrd"/> </host>
    <config interval_ms="60000"> <rom name="linux" file="${GUEST}/linux"/> <rom name="initrd" file="${GUEST}/initrd"/> </config>
  </start>
  <start name="terminal" ram="8M"> <binary name="socket_terminal"/> <provides> <service name="Terminal"/> </provides>
    <host> <unix listen="small.sock"/> <unix listen="large.sock"/> </host>
    <config> <policy label_prefix="small" listen="unix:small.sock"/> <policy label_prefix="large" listen="unix:large.sock"/> </config>
  </start>
  <start name="disk" ram="8M"> <binary name="file_block"/> <provides> <service name="Block"/> </provides>
    <host> <file path="disk.img" access="rw"/> </host>
    <config file="disk.img" block_size="512" writeable="yes"/>
  </start>
  <start name="fs" ram="16M"> <binary name="rumpfs"/> <provides> <service name="File_system"/> </provides>
    <config> <default-policy writeable="yes"/> </config>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  ${machine('small', 'v86', '110M', isolation)} ${machine('large', 'qemu', '210M', isolation)}`);

describe.skipIf(lacksQemu !== undefined)(`two guests (${lacksQemu ?? 'with QEMU'})`, () => {
  test.for(['process', 'thread'])(
    'use one folder at once, in a %s each: each sees at once what the other has written, and nothing is lost',
    { timeout: FETCH_MS + 2 * BOOT_MS },
    async (isolation, context) => {
      skipIfLong(context);
      using place = new Workplace();
      const fetch = ['guests', 'fetch', GUEST, '--into', place.directory];
      const fetched = await runProgram(process.execPath, [GINIT, ...fetch], { timeoutMs: FETCH_MS });
      if (fetched.status !== 0) context.skip(`the guest is not to be had: ${fetched.text}`);
      const disk = place.path('disk.img');
      await mustRun('mke2fs', ['-q', '-t', 'ext2', disk, '32M']);
      place.write('config.xml', configOf(isolation));
      const system = new GinitRun(['config.xml'], place.directory, GINIT, '', 2 * BOOT_MS);
      await system.until('[init -> small] v86');
      await system.until('[init -> large] QEMU');
      const [small, large] = ['small', 'large'].map((name) => new SerialPerson(place.path(`${name}.sock`)));
      if (!small || !large) throw new Error('there are two of them');
      const both = [small, large];
      expect(await small.run('mount -t 9p')).toContain('trans=virtio');
      expect(await large.run('mount -t 9p')).toContain('trans=fd');
      for (const person of both) await person.run('cd /shared/data');
      await small.run('echo one > file');
      expect(await large.run('cat file; echo two >> file')).toContain('one');
      expect(await small.run('cat file')).toMatch(/one\r\ntwo/);
      await large.run(
        'dd if=/dev/urandom of=noise bs=100k count=10 2> /dev/null; mkdir -p a/b; mv file a/b/moved',
      );
      const sums = await Promise.all(both.map((person) => person.run('md5sum noise')));
      const found = sums.map((text) => /([0-9a-f]{32})  noise/.exec(text)?.[1]);
      expect(found[0]).toMatch(/^[0-9a-f]{32}$/);
      expect(found[1]).toBe(found[0]);
      expect(await small.run('cat a/b/moved')).toContain('two');
      // Both append to one file at a time: no line is lost, and none is torn.
      const append = (name: string): string =>
        `n=0; while [ $n -lt 40 ]; do echo "${name} $n" >> lines; n=$((n+1)); done`;
      await Promise.all([small.run(append('small')), large.run(append('large'))]);
      expect(await small.run('sort lines | uniq | wc -l; grep -cvE "^(small|large) [0-9]+$" lines')).toMatch(
        /^80\r\n0\r$/m,
      );
      for (const person of both) await person.run('cd /; sync');
      system.child.kill('SIGTERM');
      expect((await system.finished).code).toBe(0);
      expect(await system.leftOver()).toEqual([]);
      await mustRun('e2fsck', ['-fn', disk]);
      const lines = await runProgram('debugfs', ['-R', 'cat /lines', disk]);
      expect(lines.stdout.trim().split('\n')).toHaveLength(80);
    },
  );
});
