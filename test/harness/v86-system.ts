/** Systems with an unmodified Debian on v86, its disk behind a cache. */
import { GINIT, GinitRun, systemConfig, type Workplace } from './ginit.ts';
import { leftOut } from './long.ts';
import { missingOf, mustRun, runProgram } from './programs.ts';
import { BOOT_MS } from './serial-person.ts';

const FETCH_MS = 240_000;
/** What is missing here for such systems. */
export const lacksDebian = missingOf('apt-get', 'dpkg-deb', 'mke2fs', 'e2fsck', 'debugfs');

/** A disk of a file. */
export function fileDisk(name: string): string {
  return `<start name="${name}" ram="8M"> <binary name="file_block"/> <provides> <service name="Block"/> </provides>
    <host> <file path="${name}.img" access="rw"/> </host>
    <config file="${name}.img" block_size="512" writeable="yes"/>
  </start>`;
}

/** A machine with a kernel, a disk "root" and a serial line. */
export interface V86Wish {
  readonly name?: string;
  readonly isolation?: 'thread' | 'process';
  readonly ram?: string;
  /** Attributes of its config. */
  readonly attributes?: string;
  /** More elements of its config. */
  readonly config?: string;
  /** Its disk, and more routes. */
  readonly disk?: string;
  readonly routes?: string;
  readonly exit?: boolean;
}

/** Its start node. */
export function v86Machine({
  name = 'vmm',
  isolation = 'thread',
  ram = '110M',
  attributes = '',
  config = '',
  disk = 'disk',
  routes = '',
  exit = true,
}: V86Wish): string {
  return `<start name="${name}" ram="${ram}" isolation="${isolation}"> <binary name="vmm"/> ${exit ? '<exit propagate="yes"/>' : ''}
    <config engine="v86" ${attributes}>
      <kernel rom="linux"/> <initrd rom="initrd"/>
      <cmdline>console=ttyS0 quiet noisapnp cryptomgr.notests</cmdline>
      <disk label="root" writeable="yes"/> <serial/> <control/> ${config}
    </config>
    <route>
      <service name="ROM" label="linux"> <child name="roms"/> </service>
      <service name="ROM" label="initrd"> <child name="roms"/> </service>
      <service name="Terminal"> <child name="terminal"/> </service>
      <service name="Block"> <child name="${disk}"/> </service>
      ${routes}
      <any-service> <parent/> </any-service>
    </route>
  </start>`;
}

/** A system with these machines; each has its line at the socket of its name. */
export function v86System(machines: readonly V86Wish[], starts: string): string {
  const names = machines.map(({ name = 'vmm' }) => name);
  const each = (form: (name: string) => string): string => names.map(form).join(' ');
  return systemConfig(`
    <start name="roms" ram="32M"> <binary name="host_rom"/> <provides> <service name="ROM"/> </provides>
      <host> <file path="debian-i686/linux"/> <file path="debian-i686/initrd"/> </host>
      <config interval_ms="60000"> <rom name="linux" file="debian-i686/linux"/> <rom name="initrd" file="debian-i686/initrd"/> </config>
    </start>
    <start name="terminal" ram="8M"> <binary name="socket_terminal"/>
      <provides> <service name="Terminal"/> </provides>
      <host> ${each((name) => `<unix listen="${name}.sock"/>`)} </host>
      <config> ${each((name) => `<policy label_prefix="${name}" listen="unix:${name}.sock"/>`)} </config>
    </start>
    ${starts}
    ${machines.map(v86Machine).join('')}`).replace('<service name="Timer"/>', '$& <service name="Machine"/>');
}

/** Puts the guest into the workplace. The result is why it is not to be had. */
export async function placeDebian(place: Workplace): Promise<string | undefined> {
  if (leftOut(true)) return undefined;
  const { status, text } = await runProgram(
    process.execPath,
    [GINIT, 'guests', 'fetch', 'debian-i686', '--into', place.directory],
    { timeoutMs: FETCH_MS },
  );
  return status === 0 ? undefined : text;
}

/** An empty file system in a file of the workplace. */
export async function makeDisk(place: Workplace, name: string, type: string, size: string): Promise<void> {
  await mustRun('mke2fs', ['-q', '-t', type, place.path(`${name}.img`), size]);
}

/** Starts the system of `config.xml`, and waits until so many machines are there. */
export async function startV86System(place: Workplace, machines = 1): Promise<GinitRun> {
  const system = new GinitRun(['config.xml'], place.directory, GINIT, '', 2 * BOOT_MS);
  const isThere = (): boolean => system.stdout.split('1 processor').length > machines;
  for (let waitedMs = 0; !isThere(); waitedMs += 50) {
    if (system.child.exitCode !== null || waitedMs > BOOT_MS)
      throw new Error(`the machines are not there:\n${system.stdout}${system.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return system;
}
