/** Systems with an unmodified Debian on QEMU. */
import { existsSync } from 'node:fs';
import { GINIT, GinitRun, systemConfig, type Workplace } from './ginit.ts';
import { leftOut } from './long.ts';
import { missingOf, mustRun, runProgram } from './programs.ts';
import { BOOT_MS } from './serial-person.ts';

/** The time that fetching a guest may take. */
export const FETCH_MS = 240_000;
/** Where Debian has it. */
export const QEMU = '/usr/bin/qemu-system-x86_64';
/** What is missing here for such systems. */
export const lacksQemu =
  missingOf('apt-get', 'dpkg-deb', 'mke2fs', 'e2fsck', 'debugfs') ??
  (existsSync(QEMU) ? undefined : `no ${QEMU}`);

/** What the system has beside a kernel, a disk "root" and a serial line. */
export interface QemuWish {
  readonly isolation?: string;
  /** More elements of the machine's config. */
  readonly config?: string;
  /** Attributes of its config. */
  readonly attributes?: string;
  readonly guest?: string;
  readonly ram?: string;
  /** More start nodes, and routes of the machine to them. */
  readonly starts?: string;
  readonly routes?: string;
  /** Ends up on the command line of QEMU. */
  readonly mark?: string;
}

/** A system with one machine on QEMU. Its disk is the file `disk.img`, its line `serial.sock`. */
export function qemuSystem({
  isolation = 'process',
  config: more = '',
  attributes = '',
  guest = 'debian-amd64',
  ram = '260M',
  starts = '',
  routes = '',
  mark = '',
}: QemuWish): string {
  return systemConfig(`
    <start name="roms" ram="48M"> <binary name="host_rom"/> <provides> <service name="ROM"/> </provides>
      <host> <file path="${guest}/linux"/> <file path="${guest}/initrd"/> </host>
      <config interval_ms="60000"> <rom name="linux" file="${guest}/linux"/> <rom name="initrd" file="${guest}/initrd"/> </config>
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
    ${starts}
    <start name="vmm" ram="${ram}" isolation="${isolation}"> <exit propagate="yes"/>
      <host> <program path="${QEMU}"/> </host>
      <config ${attributes}>
        <kernel rom="linux"/> <initrd rom="initrd"/>
        <cmdline>console=ttyS0 quiet no_timer_check mark=${mark}</cmdline>
        <disk label="root" writeable="yes"/> <serial/> ${more}
      </config>
      <route>
        <service name="ROM" label="linux"> <child name="roms"/> </service>
        <service name="ROM" label="initrd"> <child name="roms"/> </service>
        <service name="Terminal"> <child name="terminal"/> </service>
        ${routes}
        <service name="Block"> <child name="disk"/> </service>
        <any-service> <parent/> </any-service>
      </route>
    </start>`).replace('<service name="Timer"/>', '$& <service name="Machine"/>');
}

/** Fetches a guest, if long tests are wanted. The result is why it is not to be had. */
export async function fetchGuest(guest: string): Promise<string | undefined> {
  if (leftOut(true)) return undefined;
  const fetched = await runProgram(process.execPath, [GINIT, 'guests', 'fetch', guest], {
    timeoutMs: FETCH_MS,
  });
  return fetched.status === 0 ? undefined : fetched.text;
}

/** Puts a guest and an empty disk into the workplace. */
export async function furnish(place: Workplace, wish: QemuWish = {}): Promise<void> {
  const guest = wish.guest ?? 'debian-amd64';
  await mustRun(process.execPath, [GINIT, 'guests', 'fetch', guest, '--into', place.directory]);
  await mustRun('mke2fs', ['-q', '-t', 'ext4', place.path('disk.img'), '32M']);
}

/** Starts the system in its workplace, and waits until QEMU is there. */
export async function startQemuSystem(place: Workplace, wish: QemuWish): Promise<GinitRun> {
  place.write('config.xml', qemuSystem(wish));
  const system = new GinitRun(['config.xml'], place.directory, GINIT, '', BOOT_MS);
  await system.until('[init -> vmm] QEMU');
  return system;
}
