/**
 * The guests that can be fetched: unmodified systems from Debian's packages. Only what an engine of
 * `vmm` runs is listed.
 */

/** One of them. */
export interface Guest {
  readonly name: string;
  /** One line for people. */
  readonly about: string;
  readonly architecture: 'i386' | 'amd64';
  /** Packages that lead to others: of their dependencies, those that match are fetched, too. */
  readonly packages: readonly GuestPackage[];
  /**
   * Either the kernel modules of the initrd that is made for a kernel (those that they depend on
   * come with them), or the files of the packages that are the guest, by the names that they get.
   */
  readonly made:
    | { readonly modules: readonly string[] }
    | { readonly files: Readonly<Record<string, GuestFile>> };
}

/** The path of a file in the packages; one that is packed there may be wanted unpacked. */
export type GuestFile = string | { readonly gzip: string };

/** A package of a guest. */
export interface GuestPackage {
  readonly name: string;
  /** The package is empty, and depends on the one that is meant. */
  readonly standsFor?: RegExp;
}

/** Debian's release that the guests are taken from. */
export const RELEASE = 'bookworm';

/** Grows when what is made of the packages changes. */
export const RECIPE = 8;

/** The files of the installer for an architecture. */
function installer(architecture: 'i386' | 'amd64'): Readonly<Record<string, GuestFile>> {
  const directory = `usr/lib/debian-installer/images/12/${architecture}/text/debian-installer/${architecture}`;
  return { linux: `${directory}/linux`, initrd: `${directory}/initrd.gz` };
}
/** The modules for everything that the monitor has. */
const ALL_MODULES = [
  'virtio_pci',
  'virtio_blk',
  'virtio_console',
  'ext4',
  'crc32c_generic',
  '9p',
  '9pnet_virtio',
  '9pnet_fd',
  'ata_piix',
  'sd_mod',
  'sr_mod',
  'isofs',
  'evdev',
  'button',
];
/** The files of a BIOS in the package seabios. */
const BIOS_FILES = {
  'bios.bin': 'usr/share/seabios/bios.bin',
  'vgabios.bin': 'usr/share/seabios/vgabios-stdvga.bin',
};

/** All guests. */
export const GUESTS: readonly Guest[] = [
  {
    name: 'debian-i686',
    about:
      'Linux 6.1 for 32 bits with BusyBox in its initrd; talks on its serial line, disks are /dev/vda ...',
    architecture: 'i386',
    packages: [
      { name: 'linux-image-686', standsFor: /\blinux-image-[0-9][^\s,]*-686\b/ },
      { name: 'busybox-static' },
    ],
    made: { modules: ALL_MODULES },
  },
  {
    name: 'debian-amd64',
    about:
      'Linux 6.1 for 64 bits with BusyBox in its initrd, for the engine qemu; its disks are /dev/vda ...',
    architecture: 'amd64',
    packages: [
      { name: 'linux-image-cloud-amd64', standsFor: /\blinux-image-[0-9][^\s,]*-cloud-amd64\b/ },
      { name: 'busybox-static' },
    ],
    // This kernel has no 9P.
    made: {
      modules: [
        'virtio_pci',
        'virtio_blk',
        'ext4',
        'crc32c_generic',
        'ata_piix',
        'sd_mod',
        'evdev',
        'button',
      ],
    },
  },
  {
    name: 'debian-amd64-generic',
    about: 'the same with the kernel for all machines, which has shared folders, CDs and IDE disks, too',
    architecture: 'amd64',
    packages: [
      { name: 'linux-image-amd64', standsFor: /\blinux-image-[0-9.-]+-amd64\b/ },
      { name: 'busybox-static' },
    ],
    made: { modules: ALL_MODULES },
  },
  {
    name: 'debian-installer-i386',
    about: "Debian's installer for 32 bits, started from its kernel; it needs 512 MiB",
    architecture: 'i386',
    packages: [{ name: 'debian-installer-12-netboot-i386' }],
    made: { files: installer('i386') },
  },
  {
    name: 'debian-installer-amd64',
    about: "Debian's installer for 64 bits, for the engine qemu; it needs 768 MiB",
    architecture: 'amd64',
    packages: [{ name: 'debian-installer-12-netboot-amd64' }],
    made: { files: installer('amd64') },
  },
  {
    name: 'grub-rescue',
    about: 'the menu and shell of GRUB, from a CD or a floppy, with SeaBIOS',
    architecture: 'i386',
    packages: [{ name: 'grub-rescue-pc' }, { name: 'seabios' }],
    made: {
      files: {
        'cdrom.iso': 'usr/lib/grub-rescue/grub-rescue-cdrom.iso',
        'floppy.img': 'usr/lib/grub-rescue/grub-rescue-floppy.img',
        ...BIOS_FILES,
      },
    },
  },
  {
    name: 'ipxe',
    about: 'iPXE from a CD, with SeaBIOS; it finds no network',
    architecture: 'i386',
    packages: [{ name: 'ipxe' }, { name: 'seabios' }],
    made: { files: { 'cdrom.iso': 'usr/lib/ipxe/ipxe.iso', ...BIOS_FILES } },
  },
  {
    name: 'invaders',
    about: 'a game on the screen, a kernel by the Multiboot specification',
    architecture: 'i386',
    packages: [{ name: 'grub-invaders' }],
    made: { files: { kernel: 'boot/invaders.exec' } },
  },
  {
    name: 'memtest',
    about: 'Memtest86+, which tests the memory of its machine, from a CD or as a kernel; for the engine qemu',
    architecture: 'amd64',
    packages: [{ name: 'memtest86+' }, { name: 'seabios' }],
    made: {
      files: {
        'cdrom.iso': 'usr/lib/memtest86+/memtest86+x64.iso',
        linux: 'boot/memtest86+x64.bin',
        ...BIOS_FILES,
      },
    },
  },
  {
    name: 'gnumach',
    about: 'GNU Mach, the kernel of the Hurd, by the Multiboot specification',
    architecture: 'i386',
    packages: [{ name: 'gnumach-image-1.8-486' }],
    made: { files: { kernel: { gzip: 'boot/gnumach-1.8-486.gz' } } },
  },
];
