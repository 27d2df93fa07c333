/** The command line of QEMU for a machine. Files and sockets are those of its workplace. */

/** The names in the workplace. */
export const QEMU_FILES = { kernel: 'linux', initrd: 'initrd' } as const;
/** The sockets in the workplace: QEMU connects to the first three, and listens at the last. */
export const QEMU_SOCKETS = { control: 'qmp', serial: 'serial', disks: 'nbd', state: 'state' } as const;

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

/** What the command line says. */
export interface QemuSetup {
  readonly memoryBytes: number;
  readonly processors: number;
  readonly accelerator: Accelerator;
  readonly disks: readonly QemuDisk[];
  readonly hasInitrd: boolean;
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
  const { memoryBytes, processors, accelerator, hasInitrd, hasSerial, commandLine } = setup;
  return [
    ['-nodefaults', '-no-user-config', '-sandbox', SANDBOX],
    ['-machine', 'pc,usb=off', ...acceleratorArguments(accelerator)],
    ['-smp', `${processors}`, '-m', `${Math.floor(memoryBytes / MEBIBYTE)}`],
    ['-display', 'none', '-vga', 'none', '-nic', 'none'],
    // The clock of the machine shows the host's time, also after it has stood still.
    ['-rtc', 'base=utc,clock=host'],
    ['-chardev', `socket,id=control,path=${QEMU_SOCKETS.control}`, '-mon', 'chardev=control,mode=control'],
    hasSerial ? ['-chardev', `socket,id=serial,path=${QEMU_SOCKETS.serial}`] : [],
    hasSerial ? ['-serial', 'chardev:serial'] : [],
    setup.disks.flatMap((disk, index) => diskArguments(disk, ideUnit(setup.disks, index))),
    ['-kernel', QEMU_FILES.kernel, ...(hasInitrd ? ['-initrd', QEMU_FILES.initrd] : [])],
    ['-append', commandLine],
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

/** The place of a disk among those on the IDE bus. */
function ideUnit(disks: readonly QemuDisk[], index: number): number {
  return disks.slice(0, index).filter(({ model }) => model === 'ide').length;
}

function diskArguments(disk: QemuDisk, unit: number): string[] {
  const { name, model, writeable, blockSize, label } = disk;
  const onError = disk.stopsWhenFull ? 'enospc' : 'report';
  const node = {
    driver: 'nbd',
    'node-name': name,
    server: { type: 'unix', path: QEMU_SOCKETS.disks },
    export: name,
    'read-only': !writeable,
    discard: 'unmap',
  };
  const common = {
    drive: name,
    serial: label.slice(-SERIAL_NUMBER_CHARACTERS),
    logical_block_size: blockSize,
    physical_block_size: blockSize,
    rerror: onError,
    werror: onError,
  };
  const device =
    model === 'virtio'
      ? { driver: 'virtio-blk-pci', ...common }
      : {
          driver: 'ide-hd',
          ...common,
          bus: `ide.${Math.floor(unit / IDE_UNITS)}`,
          unit: unit % IDE_UNITS,
        };
  return ['-blockdev', JSON.stringify(node), '-device', JSON.stringify(device)];
}
