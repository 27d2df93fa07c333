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
  /** The kernel modules of its initrd; those that they depend on come with them. */
  readonly modules: readonly string[];
}

/** A package of a guest. */
export interface GuestPackage {
  readonly name: string;
  /** The package is empty, and depends on the one that is meant. */
  readonly standsFor?: RegExp;
}

/** Debian's release that the guests are taken from. */
export const RELEASE = 'bookworm';

/** Grows when what is made of the packages changes. */
export const RECIPE = 2;

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
    modules: [
      'virtio_pci',
      'virtio_blk',
      'ext4',
      'crc32c_generic',
      '9p',
      '9pnet_virtio',
      'ata_piix',
      'sd_mod',
      'sr_mod',
      'isofs',
      'evdev',
      'button',
    ],
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
    modules: [
      'virtio_pci',
      'virtio_blk',
      'ext4',
      'crc32c_generic',
      '9p',
      '9pnet_virtio',
      'ata_piix',
      'sd_mod',
      'evdev',
      'button',
    ],
  },
];
