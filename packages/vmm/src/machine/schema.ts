/** The config of the monitor. */
import { attribute, type ConfigNode, type ConfigOf, element } from '@ginit/core/config';

const FILE = {
  rom: attribute.name('Name of the ROM module that has it'),
  file: attribute.text('Path of the file that has it, in the File_system session "files"'),
};

const MEDIUM = {
  ...FILE,
  label: attribute.label('Label of the Block session that has it'),
};
/** How a disk is shown, and what becomes of failures. */
const DISK_WAYS = {
  model: attribute.oneOf('What the guest sees', ['virtio', 'ide'], { fallback: 'virtio' }),
  on_error: attribute.oneOf(
    'Without space, or what is behind its server: the machine is paused, or the guest gets an error',
    ['pause', 'report'],
    { fallback: 'pause' },
  ),
} as const;
/** The largest number of a user of Linux. */
const OWNER_MAX = 2 ** 32 - 2;
/** The widest picture of v86. */
const DISPLAY_SIDE_MAX = 2560;

/** The schema of `vmm`. */
export const VMM_CONFIG = element('config', 'One virtual machine', {
  attributes: {
    engine: attribute.oneOf(
      'What runs the machine; auto takes v86, unless the guest needs qemu (64 bits, more processors or memory)',
      ['auto', 'v86', 'qemu'],
      { fallback: 'auto' },
    ),
    on_stop: attribute.oneOf(
      'When the component is stopped: the power button is pressed and waited for, the state saved, or nothing',
      ['poweroff', 'save', 'kill'],
      { fallback: 'poweroff' },
    ),
    grace: attribute.integer('Seconds that a guest has to switch off after its power button was pressed', {
      min: 1,
      max: 3600,
      fallback: 20,
    }),
  },
  children: [
    element('cpu', 'The processors', {
      max: 1,
      attributes: { count: attribute.integer('How many', { min: 1, fallback: 1 }) },
    }),
    element('kernel', 'A Linux kernel, which is started without a BIOS: a bzImage, or vmlinux', {
      max: 1,
      attributes: FILE,
    }),
    element('multiboot', 'A kernel by the Multiboot specification, which is started without a BIOS', {
      max: 1,
      attributes: FILE,
    }),
    element('initrd', 'The initial RAM disk of the kernel, or a module of a Multiboot kernel', {
      max: 1,
      attributes: FILE,
    }),
    element('cmdline', 'The command line of the kernel', { max: 1, text: 'required' }),
    element('bios', "The BIOS of a machine without a kernel: bios.bin of Debian's package seabios", {
      max: 1,
      attributes: FILE,
    }),
    element('vgabios', 'The BIOS of its screen: vgabios-stdvga.bin of the same package', {
      max: 1,
      attributes: FILE,
    }),
    element('cdrom', 'A CD drive; without an attribute it is empty', { max: 1, attributes: MEDIUM }),
    element('floppy', 'A floppy drive; without an attribute it is empty', {
      max: 1,
      attributes: {
        ...MEDIUM,
        writeable: attribute.boolean('Whether the guest may write to the Block session', { fallback: false }),
      },
    }),
    element('state', 'Where the state of the machine is kept when it is saved', {
      max: 1,
      attributes: {
        file: attribute.text('Path of the file', { required: true }),
        label: attribute.label('Label of the File_system session', { fallback: 'states' }),
        restore: attribute.oneOf(
          'Whether the machine begins with its state: never, always, or if there is one, which is removed then',
          ['no', 'yes', 'auto'],
          { fallback: 'no' },
        ),
      },
    }),
    element('disk', 'A disk', {
      attributes: {
        label: attribute.label('Label of the Block session', { required: true }),
        writeable: attribute.boolean('Whether the guest may write', { fallback: false }),
        ...DISK_WAYS,
      },
    }),
    element('image', 'A disk or a CD in a file of the File_system session "files"', {
      attributes: {
        type: attribute.oneOf('A CD, or a disk in the format of VirtualBox', ['iso', 'vdi'], {
          required: true,
        }),
        file: attribute.text('Path of the image, which is only read', { required: true }),
        overlay: attribute.text(
          'Path of what the guest changes of a disk, a qcow2 image, made if it is missing; without it the disk is only read',
        ),
        ...DISK_WAYS,
      },
    }),
    element('control', 'Lets `ginit vm` act on the machine, by a Machine session that is routed to ginit', {
      max: 1,
      attributes: { label: attribute.label('Label of the Machine session', { fallback: 'machine' }) },
    }),
    element('report', 'A report of how the machine is and what it has done, at a Report session', {
      max: 1,
      attributes: {
        label: attribute.label('Label of the Report session', { fallback: 'machine' }),
        interval_ms: attribute.integer('How often, beside when the machine is paused or goes on', {
          min: 100,
          max: 3_600_000,
          fallback: 2000,
        }),
        buffer: attribute.bytes('Bytes of the largest report, out of the RAM quota', {
          fallback: 4096,
          min: 1024,
          max: 65_536,
        }),
      },
    }),
    element('display', 'A screen with keyboard and mouse, at a Framebuffer and an Input session', {
      max: 1,
      attributes: {
        label: attribute.label('Label of both sessions', { fallback: 'display' }),
        framebuffer: attribute.boolean(
          'Whether there is a Framebuffer session; `ginit vm screen` needs none',
          {
            fallback: true,
          },
        ),
        input: attribute.boolean('Whether there is an Input session; `ginit vm type` needs none', {
          fallback: true,
        }),
        width: attribute.integer('Width of the largest picture, in pixels', {
          min: 720,
          max: DISPLAY_SIDE_MAX,
          fallback: 1024,
        }),
        height: attribute.integer('Height of the largest picture, in pixels', {
          min: 480,
          max: DISPLAY_SIDE_MAX,
          fallback: 768,
        }),
      },
    }),
    element('shared', 'A folder of a File_system session, which the guest mounts by 9P', {
      attributes: {
        label: attribute.label('Label of the File_system session', { required: true }),
        tag: attribute.text('The name by which the guest mounts it; the label unless told'),
        writeable: attribute.boolean('Whether the guest may write', { fallback: false }),
        uid: attribute.integer('Who owns everything in it, for the guest', {
          min: 0,
          max: OWNER_MAX,
          fallback: 0,
        }),
        gid: attribute.integer('The group of everything in it', { min: 0, max: OWNER_MAX, fallback: 0 }),
        chown: attribute.oneOf(
          'Other owners and permissions are refused, or kept as long as the machine runs',
          ['refuse', 'keep'],
          { fallback: 'refuse' },
        ),
      },
    }),
    element('serial', 'The serial line, at a Terminal session', {
      max: 1,
      attributes: { label: attribute.label('Label of the Terminal session', { fallback: 'serial' }) },
    }),
  ],
});

/** The config as it is read. */
export type VmmConfig = ConfigOf<typeof VMM_CONFIG>;
/** A `<kernel>` or an `<initrd>`. */
export interface FileConfig {
  readonly rom: string | undefined;
  readonly file: string | undefined;
  readonly $node: ConfigNode;
}
/** A `<disk>`, or what is the same of an `<image>`. */
export type DiskConfig = Pick<
  VmmConfig['$children']['disk'][number],
  'label' | 'model' | 'writeable' | 'on_error' | '$node'
>;
/** An `<image>`. */
export type ImageConfig = VmmConfig['$children']['image'][number];
/** A `<display>`. */
export type DisplayConfig = NonNullable<VmmConfig['$children']['display']>;
/** A `<shared>`. */
export type SharedConfig = VmmConfig['$children']['shared'][number];
/** A `<report>`. */
export type ReportConfig = Pick<
  NonNullable<VmmConfig['$children']['report']>,
  'label' | 'interval_ms' | 'buffer'
>;
/** A `<control>`. */
export type ControlConfig = NonNullable<VmmConfig['$children']['control']>;
/** A `<cdrom>` or a `<floppy>`. */
export interface DriveConfig extends FileConfig {
  readonly label: string | undefined;
  readonly writeable?: boolean;
}
/** A `<state>`. */
export type StateConfig = NonNullable<VmmConfig['$children']['state']>;
