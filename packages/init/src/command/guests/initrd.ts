/**
 * The initrd of a guest: BusyBox, modules of the kernel, and a script that makes a shell of them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type ArchiveEntry, cpioArchive } from './cpio.ts';
import { modulesFor } from './kernel-modules.ts';

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const FILE = 0o100644;
const DEVICE = 0o020600;

/**
 * The first process. It ends the machine when BusyBox' poweroff, reboot and halt tell it to by
 * their signals: nobody else would unmount the disks. It hears them only while it waits, so the
 * shell is beside it, but no background job of it: such a one is deaf to Ctrl-C, and so is whatever
 * it starts.
 */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
hostname NAME
echo 3 > /proc/sys/kernel/printk
modprobe -a virtio_pci virtio_blk crc32c_generic ext4 evdev button 2> /dev/null
# Folders that are shared with the machine are mounted by the names that its config gives them.
for device in /sys/bus/virtio/devices/*; do
  [ "$(cat $device/device 2> /dev/null)" = 0x0009 ] || continue
  modprobe -a 9pnet_virtio 9p 2> /dev/null
  tag=$(tr -d '\\000' < $device/mount_tag)
  mkdir -p "/shared/$tag"
  mount -t 9p -o trans=virtio,version=9p2000.L,msize=65536 "$tag" "/shared/$tag"
done
# Where no device of 9P is to be had, a port that is named after the folder carries its messages.
# The ports come one by one; each of their names says how many there are.
if grep -q 0x0003 /sys/bus/virtio/devices/*/device 2> /dev/null; then
  modprobe -a virtio_console 2> /dev/null
  for try in $(seq 100); do
    names=$(sed -n '/^ginit.9p./p' /sys/class/virtio-ports/*/name 2> /dev/null)
    all=\${names#ginit.9p.}
    [ -n "$names" ] && [ "$(echo "$names" | wc -l)" -ge "\${all%%.*}" ] && break
    sleep 0.1
  done
fi
# The file system wants two ends of pipes, so messages are carried between those and the port.
for port in /sys/class/virtio-ports/*; do
  name=$(cat $port/name 2> /dev/null)
  tag="\${name#ginit.9p.*.}"
  [ "$tag" != "$name" ] || continue
  modprobe -a 9pnet_fd 9p 2> /dev/null
  mkdir -p "/shared/$tag"
  pipe=/run/\${port##*/}
  mkfifo $pipe.in $pipe.out
  exec 5<> /dev/\${port##*/}
  # Until the other end is there, a port reads as if that had gone.
  while cat <&5; do sleep 0.1; done > $pipe.in 2> /dev/null &
  cat < $pipe.out >&5 2> /dev/null &
  exec 5<&-
  # The kernel lets its ends wait for nothing, so nobody else has the same.
  options=trans=fd,rfdno=6,wfdno=7,version=9p2000.L,msize=65536
  mount -t 9p -o $options "$tag" "/shared/$tag" 6< $pipe.in 7> $pipe.out
done
# A machine that stood still, or was saved, has the time of the host in its clock of the board only.
# If that says more than the kernel has counted, the time is taken from there, before all else.
mkfifo /run/never
clock() {
  exec 3<> /run/never
  read last < $1
  read before rest < /proc/uptime
  while :; do
    read -t 1 rest <&3
    read now < $1
    read up rest < /proc/uptime
    away=$((now - last - \${up%.*} + \${before%.*}))
    [ $away -gt 1 ] && hwclock -s -u
    last=$now before=$up
  done
}
[ -e /sys/class/rtc/rtc0/since_epoch ] && clock /sys/class/rtc/rtc0/since_epoch &
renice -n -15 -p $! > /dev/null 2> /dev/null
# The power button is a key; whoever presses it wants the machine to go down in order.
acpid -c /etc/acpi -a /etc/acpid.conf -M /etc/acpi.map -l /dev/null 2> /dev/null
end() {
  cd /
  umount -a -r 2> /dev/null
  sync
  busybox $1 -f
}
trap 'end poweroff' USR2
trap 'end halt' USR1
trap 'end reboot' TERM
echo
echo "Linux $(uname -r) with BusyBox. Disks: $(ls /dev | grep '^[vs]d[a-z]$' | tr '\\n' ' ')"
echo "The end of this shell, or poweroff, ends the machine."
start-stop-daemon -S -b -p /run/session.pid -x /etc/session
while :; do
  sleep 86400 &
  wait $!
done
`;

/** The shell, whose end is the end of the machine. */
const SESSION = `#!/bin/busybox sh
cd /root
setsid cttyhack sh < /dev/console > /dev/console 2>&1
exec poweroff
`;

const ACPI_MAP = 'EV_KEY 0x01 KEY_POWER 116 1 power\n';
const POWER_BUTTON = '#!/bin/busybox sh\necho "The power button was pressed."\nexec poweroff\n';

/** What it is made of. */
export interface InitrdParts {
  readonly name: string;
  /** The directory that the packages were unpacked to. */
  readonly unpacked: string;
  readonly modules: readonly string[];
}

/** Makes it, packed by gzip. */
export function makeInitrd({ name, unpacked, modules }: InitrdParts): Uint8Array {
  const all = join(unpacked, 'lib/modules');
  const [version] = readdirSync(all);
  if (version === undefined) throw new Error('the kernel has no modules');
  const own = modulesFor(modules, join(all, version));
  const place = `lib/modules/${version}`;
  const directories = new Set(
    [...own.map(({ path }) => `${place}/${path}`), 'etc/acpi/x', 'root/x'].flatMap(directoriesAbove),
  );
  for (const more of ['bin', 'dev', 'proc', 'sys', 'mnt', 'tmp', 'run']) directories.add(more);
  const text = (path: string, mode: number, content: string): ArchiveEntry => ({
    path,
    mode,
    content: Buffer.from(content),
  });
  const entries: ArchiveEntry[] = [
    ...Array.from(directories, (path) => ({ path, mode: DIRECTORY })),
    // Before devtmpfs is there, the kernel opens these for the first process.
    { path: 'dev/console', mode: DEVICE, device: [5, 1] },
    { path: 'dev/null', mode: DEVICE, device: [1, 3] },
    { path: 'bin/busybox', mode: PROGRAM, content: readFileSync(join(unpacked, 'bin/busybox')) },
    text('init', PROGRAM, INIT.replace('NAME', name)),
    text('etc/session', PROGRAM, SESSION),
    text('etc/acpid.conf', FILE, ''),
    text('etc/acpi.map', FILE, ACPI_MAP),
    text('etc/acpi/power', PROGRAM, POWER_BUTTON),
    text('etc/passwd', FILE, 'root:x:0:0:root:/root:/bin/sh\n'),
    text('etc/group', FILE, 'root:x:0:\n'),
    text(
      `${place}/modules.dep`,
      FILE,
      own.map(({ path, needs }) => `${[`${path}:`, ...needs].join(' ')}\n`).join(''),
    ),
    ...own.map(({ path }) => ({
      path: `${place}/${path}`,
      mode: FILE,
      content: readFileSync(join(all, version, path)),
    })),
  ];
  return gzipSync(cpioArchive(entries), { level: 9 });
}

function directoriesAbove(path: string): string[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}
