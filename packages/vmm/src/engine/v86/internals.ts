/**
 * The inner parts of v86 that this engine uses. They are no public interface of v86, so each is
 * looked for at the start: another version of v86 that lacks one is refused by its name.
 */

/** The version of v86 that this engine is made for. */
export const V86_VERSION = '0.5.462';

type PortRead = (port: number) => number;
type PortWrite = (value: number, port: number) => void;

/** A medium of v86: an `IdeImage`. */
type V86Image = object;

/** What v86 writes the memory of its guest into. */
interface V86PackedMemory {
  readonly packed_memory: Uint8Array;
  readonly bitmap: { get_buffer(): ArrayBuffer };
}

/** Two disks on one cable. */
interface V86IdeChannel {
  readonly master: { device_reset(): void };
  readonly slave: { device_reset(): void };
}

/** The registers and memory of the processor, and what is around it. */
export interface V86Cpu {
  readonly mem8: Uint8Array;
  readonly memory_size: ArrayLike<number>;
  readonly io: {
    register_read(port: number, device: object, r8?: PortRead, r16?: PortRead, r32?: PortRead): void;
    register_write(port: number, device: object, w8?: PortWrite, w16?: PortWrite, w32?: PortWrite): void;
  };
  readonly devices: {
    readonly pci: {
      readonly isa_bridge_space8: Uint8Array;
      readonly devices: readonly ({ readonly pci_bars: (object | undefined)[] } | undefined)[];
      register_device(device: object): void;
      raise_irq(id: number): void;
      lower_irq(id: number): void;
    };
    /** Missing without a disk. */
    readonly ide: { readonly primary: V86IdeChannel | undefined } | undefined;
    readonly uart0: { readonly input: number[] };
    readonly cdrom: { set_cdrom(image: V86Image): void; eject(): void };
    readonly fdc: {
      readonly drives: readonly [
        { insert_disk(image: V86Image, isReadOnly: boolean): boolean; eject_disk(): void },
        ...unknown[],
      ];
    };
    readonly pit: { readonly counter_start_time: Float64Array };
  };
  readonly cr: Int32Array;
  readonly protected_mode: Int32Array;
  readonly flags: Int32Array;
  readonly in_hlt: Uint8Array;
  readonly is_32: Int32Array;
  readonly stack_size_32: Int32Array;
  readonly segment_is_null: Uint8Array;
  readonly segment_offsets: Int32Array;
  readonly segment_limits: Uint32Array;
  readonly sreg: Uint16Array;
  readonly reg32: Int32Array;
  readonly instruction_pointer: Int32Array;
  device_raise_irq(line: number): void;
  device_lower_irq(line: number): void;
  jit_dirty_cache(start: number, end: number): void;
  set_jit_config(index: number, value: number): void;
  get_seg_cs(): number;
  update_state_flags(): void;
  reboot_internal(): void;
  is_memory_zeroed(address: number, length: number): boolean | number;
  pack_memory(): V86PackedMemory;
  unpack_memory(...packed: unknown[]): void;
}

/** The loop around the processor. */
export interface V86Loop {
  readonly cpu: V86Cpu;
  /** Goes on with `yield_callback(tick)` after `ms`. */
  yield(ms: number, tick: number): void;
  save_state(): ArrayBuffer;
  restore_state(state: ArrayBuffer): void;
  /** The class has the clock of the emulator, in milliseconds. */
  readonly constructor: { microtick(): number };
}

const FUNCTIONS = [
  'io.register_read',
  'io.register_write',
  'devices.pci.register_device',
  'devices.pci.raise_irq',
  'devices.pci.lower_irq',
  'device_raise_irq',
  'device_lower_irq',
  'jit_dirty_cache',
  'set_jit_config',
  'get_seg_cs',
  'update_state_flags',
  'reboot_internal',
  'is_memory_zeroed',
  'pack_memory',
  'unpack_memory',
  'devices.cdrom.set_cdrom',
  'devices.cdrom.eject',
  'devices.fdc.drives.0.insert_disk',
  'devices.fdc.drives.0.eject_disk',
] as const;
const LOOP_FUNCTIONS = ['yield', 'save_state', 'restore_state', 'constructor.microtick'] as const;
const OBJECTS = [
  'mem8',
  'memory_size',
  'devices.pci.isa_bridge_space8',
  'devices.pci.devices',
  'devices.uart0.input',
  'devices.pit.counter_start_time',
  'cr',
  'protected_mode',
  'flags',
  'in_hlt',
  'is_32',
  'stack_size_32',
  'segment_is_null',
  'segment_offsets',
  'segment_limits',
  'sreg',
  'reg32',
  'instruction_pointer',
] as const;

function at(root: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => Reflect.get(Object(value), name), root);
}

/** What of the inner parts is not there; nothing if all of it is. */
function missingParts(loop: unknown): readonly string[] {
  const functions = FUNCTIONS.filter((path) => typeof at(loop, `cpu.${path}`) !== 'function');
  const objects = OBJECTS.filter((path) => typeof at(loop, `cpu.${path}`) !== 'object');
  return [
    ...LOOP_FUNCTIONS.filter((name) => typeof at(loop, name) !== 'function'),
    ...[...functions, ...objects].map((path) => `cpu.${path}`),
  ];
}

function isLoop(value: unknown): value is V86Loop {
  return missingParts(value).length === 0;
}

/** The inner parts of an emulator that is ready. Throws an error that names what is missing. */
export function innerParts(emulator: object): V86Loop {
  const loop: unknown = Reflect.get(emulator, 'v86');
  if (isLoop(loop)) return loop;
  const missing = missingParts(loop).join(', ');
  throw new Error(`this v86 is not version ${V86_VERSION}, or not as it was: it lacks ${missing}`);
}
