/**
 * `vmm`: an unmodified Linux on our monitor and beside it: how fast it boots, what its disk does,
 * how long it takes to save and restore it, and what it costs when it has nothing to do.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, openSync, closeSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandLine, makeGuest } from './guest/guest.mjs';
import { guestSystem } from './system.mjs';
import { WORKLOADS } from './workloads.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

const MEBIBYTE = 1024 * 1024;
const DISK_MIB = 64;
const STATES_MIB = 192;
const GUEST_MIB = 128;
/** So that the guest has 128 MiB on v86, or a little more: kernel and initrd are kept beside. */
const RAM = { v86: '160M', qemu: '240M' };
const LOAD_MS = { full: 2000, quick: 100 };
/** It waits a hundredth as long, in seconds. */
const IDLE_MS = { full: 1000, quick: 100 };
const RESTORES = { full: 5, quick: 1 };
const TIMEOUT_MS = 300_000;

const QEMU = '/usr/bin/qemu-system-x86_64';
const SEABIOS = '/usr/share/seabios';

/** A file whose bytes are all there, not a hole, and not zeros. */
function makeDisk(directory) {
  const file = join(directory, 'disk.img');
  const descriptor = openSync(file, 'w');
  const piece = Buffer.alloc(MEBIBYTE, 7);
  for (let at = 0; at < DISK_MIB; at++) writeSync(descriptor, piece);
  closeSync(descriptor);
  return file;
}

/** A file with an empty file system; or why there is none, as `lack`. */
function makeStates(directory) {
  const file = join(directory, 'states.img');
  closeSync(openSync(file, 'w'));
  truncateSync(file, STATES_MIB * MEBIBYTE);
  const { status } = spawnSync('mke2fs', ['-q', '-t', 'ext2', file], { stdio: 'ignore' });
  return status === 0 ? { file } : { lack: 'mke2fs is not there' };
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const qemuLack = () => (isProgram(QEMU) ? undefined : 'QEMU is not there: apt install qemu-system-x86');
const biosLack = () =>
  existsSync(join(SEABIOS, 'bios.bin')) ? undefined : 'SeaBIOS is not there: apt install seabios';

/** What a plain QEMU is given; the machine is the one that our monitor asks for. */
function qemuCommand(guest, disk, append) {
  const machine = '-nodefaults -no-user-config -machine pc,usb=off -accel tcg,tb-size=32 -cpu max -smp 1';
  const beside = '-display none -vga none -nic none -serial stdio';
  const file = { driver: 'file', 'node-name': 'disk', filename: disk, discard: 'unmap' };
  const device = 'virtio-blk-pci,drive=disk,logical_block_size=512,physical_block_size=512';
  return [QEMU, ...machine.split(' '), '-m', `${GUEST_MIB}`, ...beside.split(' ')].concat(
    ['-blockdev', JSON.stringify(file), '-device', device],
    ['-kernel', guest.kernel, '-initrd', guest.initrd, '-append', append],
  );
}

function contenders({ directory, places, quick }) {
  const place = places.free ?? places.one;
  const of = ({ full, quick: short }) => (quick ? short : full);
  const guest = makeGuest(directory);
  const disk = makeDisk(directory);
  const states = makeStates(directory);
  const contender = (id, label, command, lack) => ({
    id,
    label,
    place,
    timeoutMs: TIMEOUT_MS,
    command: guest.lack ? [] : [process.execPath, path('./run-guest.mjs'), ...command()],
    skipped: guest.lack ?? lack,
  });
  const onDisk = (device) => commandLine('disk', { disk: device, ms: of(LOAD_MS) });
  // A busy host confuses the check of timers without this.
  const onQemu = (device) => `${onDisk(device)} no_timer_check`;
  const v86 = (id, label, more, device) =>
    contender(id, label, () =>
      guestSystem(directory, {
        guest,
        disk,
        engine: 'v86',
        ram: RAM.v86,
        commandLine: onDisk(device),
        ...more,
      }),
    );
  return [
    v86('v86-virtio', 'ginit, v86, virtio', { model: 'virtio' }, 'vda'),
    v86('v86-ide', 'ginit, v86, IDE', { model: 'ide' }, 'sda'),
    v86('v86-cached', 'ginit, v86, virtio, blockcache', { model: 'virtio', cached: true }, 'vda'),
    contender(
      'plain-v86',
      'v86 from npm, SeaBIOS, bzImage',
      () => {
        const settings = {
          ...guest,
          disk,
          memoryBytes: GUEST_MIB * MEBIBYTE,
          bios: join(SEABIOS, 'bios.bin'),
          vgaBios: join(SEABIOS, 'vgabios-stdvga.bin'),
          commandLine: commandLine('boot', { ms: 1 }),
        };
        return [process.execPath, path('./plain-v86.mjs'), JSON.stringify(settings)];
      },
      biosLack(),
    ),
    contender(
      'qemu-nbd',
      'ginit, QEMU (tcg), virtio over our NBD',
      () =>
        guestSystem(directory, {
          guest,
          disk,
          engine: 'qemu',
          model: 'virtio',
          ram: RAM.qemu,
          commandLine: onQemu('vda'),
          host: ` <host> <program path="${QEMU}"/> </host>`,
        }),
      qemuLack(),
    ),
    contender(
      'qemu-file',
      'QEMU (tcg), virtio on the raw file',
      () => qemuCommand(guest, disk, onQemu('vda')),
      qemuLack(),
    ),
    contender(
      'life',
      'ginit, v86, at rest, saved and restored',
      () =>
        guestSystem(directory, {
          guest,
          disk,
          engine: 'v86',
          model: 'virtio',
          ram: RAM.v86,
          isolation: 'process',
          states: states.file,
          times: of(RESTORES),
          commandLine: commandLine('idle', { ms: of(IDLE_MS) }),
        }),
      states.lack,
    ),
  ];
}

const worst = (...values) => Math.min(...values);
const DEEP = ['read4Kx8', 'write4Kx8'];
const SMALL = ['read4Kx1', 'write4Kx1', ...DEEP];

export const vmm = {
  name: 'vmm',
  title: 'Debian for 32 bits on v86 and QEMU: boot, disk, life',
  columns: {
    bootMs: 'boot, ms',
    bootCpuMs: 'its CPU, ms',
    ...Object.fromEntries(
      WORKLOADS.map(({ key }) => [
        key,
        key.replace(/(\d+.)x/, ' $1 at ') + (key.includes('4K') ? ', 1/s' : ', MB/s'),
      ]),
    ),
    read4Kx8CpuUs: 'CPU of a read at 8, us',
    write4Kx8CpuUs: 'CPU of a write at 8, us',
    saveMs: 'save, ms',
    restoreMs: 'restore, ms',
    restoreCpuMs: 'its CPU, ms',
    idleCpuPercent: 'at rest, % of a CPU',
    overheadMiB: 'beside the guest, MiB',
  },
  contenders,
  figures: (median) => ({
    bootMs: median('v86-virtio', 'bootMs'),
    bootCpuMs: median('v86-virtio', 'bootCpuMs'),
    plainV86BootMs: median('plain-v86', 'bootMs'),
    plainV86BootCpuMs: median('plain-v86', 'bootCpuMs'),
    qemuBootMs: median('qemu-nbd', 'bootMs'),
    ...Object.fromEntries(
      ['v86-virtio', 'v86-ide', 'v86-cached', 'qemu-nbd', 'qemu-file'].flatMap((id) =>
        WORKLOADS.map(({ key }) => [`${id}.${key}`, median(id, key)]),
      ),
    ),
    ...Object.fromEntries(
      ['saveMs', 'saveCpuMs', 'restoreMs', 'restoreCpuMs', 'idleCpuPercent', 'overheadMiB'].map((key) => [
        key,
        median('life', key),
      ]),
    ),
  }),
  ratios: (median) => {
    const iops = (id, peer, keys) => worst(...keys.map((key) => median(id, key) / median(peer, key)));
    const cpu = (id, peer, keys) =>
      worst(...keys.map((key) => median(peer, `${key}CpuUs`) / median(id, `${key}CpuUs`)));
    return {
      bootVsPlainV86: median('plain-v86', 'bootMs') / median('v86-virtio', 'bootMs'),
      /** The same by the time of the CPUs, which other work on the machine does not change. */
      bootVsPlainV86Cpu: median('plain-v86', 'bootCpuMs') / median('v86-virtio', 'bootCpuMs'),
      virtioVsIde: iops('v86-virtio', 'v86-ide', DEEP),
      virtioVsIdeCpu: cpu('v86-virtio', 'v86-ide', DEEP),
      nbdVsQemuFile: iops('qemu-nbd', 'qemu-file', SMALL),
      nbdVsQemuFileLarge: iops('qemu-nbd', 'qemu-file', ['read1Mx1', 'write1Mx1']),
    };
  },
  aims: { bootVsPlainV86: 1.3, virtioVsIde: 2, nbdVsQemuFile: 0.9 },
};
