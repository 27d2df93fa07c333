/** The command line of QEMU for a machine. Files and sockets are those of its workplace. */

import type { MachineDrive } from '@ginit/core/machine';

/** The files in the workplace that a machine starts with. */
export const QEMU_FILES = ['kernel', 'initrd', 'bios', 'vgabios'] as const;
/** One of `QEMU_FILES`. */
export type QemuFile = (typeof QEMU_FILES)[number];
/** The sockets in the workplace: QEMU connects to the first three, and listens at the others. */
export const QEMU_SOCKETS = {
  control: 'qmp',
  serial: 'serial',
  disks: 'nbd',
  state: 'state',
  screen: 'screen',
} as const;

/** The ways in which QEMU runs the instructions of a guest. */
export type Accelerator = 'kvm' | 'tcg';

/** The memory that QEMU keeps for translated instructions of the guest. */
export const TRANSLATIONS_MEBIBYTES = 32;

/** A disk as QEMU is told of it. */
export interface QemuDisk {
  /** The name of its export. */
  readonly name: string;
  readonly model: 'virtio' | 'ide';
  readonly writeable: boolean;
  readonly blockSize: number;
  /** What the guest may ask the disk for, as its serial number. */
  readonly label: string;
  /** A full disk stops the machine; else it is an error for the guest. */
  readonly stopsWhenFull: boolean;
}

/** A drive, with the name of the export that lies in it. */
export interface QemuDrive {
  readonly drive: MachineDrive;
  readonly medium: string | undefined;
  readonly writeable: boolean;
}

/** What the usual floppy disk has. A drive for twice as much does not read it as it is. */
export const FLOPPY_USUAL_BYTES = 1440 * 1024;

/** What the command line says. */
export interface QemuSetup {
  readonly memoryBytes: number;
  readonly processors: number;
  readonly accelerator: Accelerator;
  readonly disks: readonly QemuDisk[];
  readonly drives: readonly QemuDrive[];
  /** Whether its floppy drive is one for disks of 2880 KiB, and for no others. */
  readonly floppyIsLarge: boolean;
  /** The tags of its shared folders, each of which has a port. */
  readonly shares: readonly string[];
  /** The files that are there. */
  readonly files: ReadonlySet<QemuFile>;
  /** The memory of the screen, if there is one. */
  readonly screenMebibytes: number | undefined;
  readonly hasSerial: boolean;
  readonly commandLine: string;
  /** The machine waits for a saved state. */
  readonly awaitsState: boolean;
}

const MEBIBYTE = 1024 * 1024;
const IDE_UNITS = 2;
/** The longest serial number of a disk. */
const SERIAL_NUMBER_CHARACTERS = 20;

/** No program is started, no privilege taken, no scheduling changed, no obsolete call made. */
const SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';

/** The arguments. The processors do not run before `cont`. */
export function qemuArguments(setup: QemuSetup): string[] {
  const { memoryBytes, processors, accelerator, files, hasSerial, commandLine } = setup;
  return [
    ['-nodefaults', '-no-user-config', '-sandbox', SANDBOX],
    ['-machine', 'pc,usb=off', ...acceleratorArguments(accelerator)],
    ['-smp', `${processors}`, '-m', `${Math.floor(memoryBytes / MEBIBYTE)}`],
    ['-display', 'none', '-vga', 'none', '-nic', 'none'],
    screenArguments(setup),
    // The clock of the machine shows the host's time, also after it has stood still.
    ['-rtc', 'base=utc,clock=host'],
    ['-chardev', `socket,id=control,path=${QEMU_SOCKETS.control}`, '-mon', 'chardev=control,mode=control'],
    hasSerial ? ['-chardev', `socket,id=serial,path=${QEMU_SOCKETS.serial}`] : [],
    hasSerial ? ['-serial', 'chardev:serial'] : [],
    setup.disks.flatMap((disk, index) => diskArguments(disk, index, setup)),
    shareArguments(setup.shares),
    setup.drives.flatMap((drive) => driveArguments(drive, setup)),
    (['kernel', 'initrd', 'bios'] as const).flatMap((file) => (files.has(file) ? [`-${file}`, file] : [])),
    files.has('kernel') ? ['-append', commandLine] : [],
    setup.awaitsState ? ['-incoming', 'defer'] : [],
    ['-S'],
  ].flat();
}

function acceleratorArguments(accelerator: Accelerator): string[] {
  switch (accelerator) {
    case 'kvm':
      return ['-accel', 'kvm', '-cpu', 'host'];
    case 'tcg':
      return ['-accel', `tcg,tb-size=${TRANSLATIONS_MEBIBYTES}`, '-cpu', 'max'];
  }
}

function screenArguments({ screenMebibytes, files }: QemuSetup): string[] {
  if (screenMebibytes === undefined) return [];
  const romfile = files.has('vgabios') ? ({ romfile: 'vgabios' } satisfies { romfile: QemuFile }) : {};
  const device = { driver: 'VGA', vgamem_mb: screenMebibytes, ...romfile };
  return ['-device', JSON.stringify(device), '-vnc', `unix:${QEMU_SOCKETS.screen}`];
}

/** The name of the port of a shared folder: of its socket, and in the events of QEMU. */
export function sharePort(index: number): string {
  return `share${index}`;
}

/**
 * The name by which a guest sees such a port: it has the tag, and how many there are, because ports
 * come one by one and a guest wants to know when it has all.
 */
export function sharePortName(tag: string, count: number): string {
  return `ginit.9p.${count}.${tag}`;
}

function shareArguments(tags: readonly string[]): string[] {
  if (tags.length === 0) return [];
  const ports = tags.map((tag, index) => {
    const id = sharePort(index);
    return { driver: 'virtserialport', id, chardev: id, name: sharePortName(tag, tags.length) };
  });
  return [
    // The port 0 is kept for a console.
    ['-device', JSON.stringify({ driver: 'virtio-serial-pci', max_ports: tags.length + 1 })],
    ...ports.map((port) => ['-chardev', `socket,id=${port.id},path=${port.id}`]),
    ...ports.map((port) => ['-device', JSON.stringify(port)]),
  ].flat();
}

/** The place of a disk among those on the IDE bus. */
function idePlace(disks: readonly QemuDisk[], index: number): { bus: string; unit: number } {
  const before = disks.slice(0, index).filter(({ model }) => model === 'ide').length;
  return { bus: `ide.${Math.floor(before / IDE_UNITS)}`, unit: before % IDE_UNITS };
}

/** Without a kernel, the BIOS looks at the floppy first, then at the CD, then at the disks. */
const BOOT_PLACES = { floppy: 0, cdrom: 1, disks: 2 } as const;

function bootPlace(place: number, { files }: QemuSetup): { bootindex?: number } {
  return files.has('kernel') ? {} : { bootindex: place };
}

function driveArguments({ drive, medium, writeable }: QemuDrive, setup: QemuSetup): string[] {
  const node = medium === undefined ? [] : ['-blockdev', JSON.stringify(mediumNode(medium, writeable))];
  const content = { id: drive, ...(medium === undefined ? {} : { drive: medium }) };
  switch (drive) {
    case 'cdrom': {
      const place = { ...idePlace(setup.disks, setup.disks.length), ...bootPlace(BOOT_PLACES.cdrom, setup) };
      return [...node, '-device', JSON.stringify({ driver: 'ide-cd', ...content, ...place })];
    }
    case 'floppy': {
      const { bootindex } = bootPlace(BOOT_PLACES.floppy, setup);
      const type = { 'drive-type': setup.floppyIsLarge ? '288' : '144' };
      const boots = bootindex === undefined ? [] : ['-global', `isa-fdc.bootindexA=${bootindex}`];
      return [...boots, ...node, '-device', JSON.stringify({ driver: 'floppy', ...content, ...type })];
    }
  }
}

/** What lies in a drive, as QEMU is told of it. */
export function mediumNode(name: string, writeable: boolean): Readonly<Record<string, unknown>> {
  return { ...nodeOf(name), 'read-only': !writeable };
}

function nodeOf(name: string): Readonly<Record<string, unknown>> {
  const server = { type: 'unix', path: QEMU_SOCKETS.disks };
  return { driver: 'nbd', 'node-name': name, server, export: name };
}

function diskArguments(disk: QemuDisk, index: number, setup: QemuSetup): string[] {
  const { name, model, writeable, blockSize, label } = disk;
  const onError = disk.stopsWhenFull ? 'enospc' : 'report';
  const node = { ...nodeOf(name), 'read-only': !writeable, discard: 'unmap' };
  const common = {
    drive: name,
    serial: label.slice(-SERIAL_NUMBER_CHARACTERS),
    logical_block_size: blockSize,
    physical_block_size: blockSize,
    rerror: onError,
    werror: onError,
    ...bootPlace(BOOT_PLACES.disks + index, setup),
  };
  const device =
    model === 'virtio'
      ? { driver: 'virtio-blk-pci', ...common }
      : { driver: 'ide-hd', ...common, ...idePlace(setup.disks, index) };
  return ['-blockdev', JSON.stringify(node), '-device', JSON.stringify(device)];
}
