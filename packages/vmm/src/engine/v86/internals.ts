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

/** The memory of a guest as v86 packs it. */
interface V86PackedMemory {
  readonly packed_memory: Uint8Array;
  readonly bitmap: { get_buffer(): ArrayBuffer };
}

/** Two disks on one cable. */
interface V86IdeChannel {
  readonly master: { device_reset(): void };
  readonly slave: { device_reset(): void };
}

/** A part of a picture that v86 has drawn, and its place on the screen. */
export interface V86Layer {
  readonly image_data: V86Picture;
  readonly screen_x: number;
  readonly screen_y: number;
  readonly buffer_x: number;
  readonly buffer_y: number;
  readonly buffer_width: number;
  readonly buffer_height: number;
}

/** What v86 draws graphics into: 4 bytes a pixel, red first. */
export interface V86Picture {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** What v86 tells of its screen. */
export interface V86ScreenAdapter {
  readonly FLAG_BLINKING: number;
  readonly FLAG_FONT_PAGE_B: number;
  put_char(): void;
  set_mode(): void;
  set_font_bitmap(): void;
  set_font_page(): void;
  set_size_text(): void;
  set_size_graphical(width: number, height: number, bufferWidth: number, bufferHeight: number): void;
  set_scale(): void;
  update_buffer(layers: readonly V86Layer[]): void;
  update_cursor(): void;
  update_cursor_scanline(): void;
  clear_screen(): void;
  clear_text_state(): void;
  get_text_screen(): readonly string[];
  get_text_row(): string;
  pause(): void;
  continue(): void;
  destroy(): void;
}

/** The VGA. */
export interface V86Vga {
  screen: V86ScreenAdapter;
  image_data: V86Picture | null;
  dest_buffet_offset: number;
  readonly graphical_mode: boolean;
  readonly screen_width: number;
  readonly screen_height: number;
  readonly virtual_width: number;
  readonly virtual_height: number;
  readonly max_cols: number;
  readonly max_rows: number;
  readonly max_scan_line: number;
  readonly start_address: number;
  readonly offset_register: number;
  readonly clocking_mode: number;
  readonly attribute_mode: number;
  readonly character_map_select: number;
  readonly palette_source: number;
  readonly cursor_address: number;
  readonly cursor_scanline_start: number;
  readonly cursor_scanline_end: number;
  readonly dac_mask: number;
  readonly dac_map: Uint8Array;
  readonly vga256_palette: Int32Array;
  /** Characters and attributes in text mode. */
  readonly vga_memory: Uint8Array;
  /** The fonts in text mode. */
  readonly plane2: Uint8Array;
  screen_fill_buffer(): void;
  set_font_bitmap(isChanged: boolean): void;
  update_layers(): void;
}

/** The controller of keyboard and mouse. */
export interface V86Ps2 {
  /** The command byte of the controller. */
  command_register: number;
  /** Whether the keyboard sends codes. */
  enable_keyboard_stream: boolean;
  readonly kbd_buffer: { readonly length: number };
  readonly mouse_buffer: { readonly length: number };
  wheel_movement: number;
  kbd_send_code(code: number): void;
  mouse_send_click(left: boolean, middle: boolean, right: boolean): void;
  mouse_send_delta(x: number, y: number): void;
}

/** The registers and memory of the processor, and what is around it. */
export interface V86Cpu {
  readonly mem8: Uint8Array;
  readonly memory_size: ArrayLike<number>;
  readonly wasm_memory: { readonly buffer: ArrayBuffer };
  readonly io: {
    port_read8(port: number): number;
    port_write8(port: number, value: number): void;
    port_write16(port: number, value: number): void;
    register_read(port: number, device: object, r8?: PortRead, r16?: PortRead, r32?: PortRead): void;
    register_write(port: number, device: object, w8?: PortWrite, w16?: PortWrite, w32?: PortWrite): void;
  };
  readonly devices: {
    readonly pci: {
      readonly isa_bridge_space8: Uint8Array;
      /** The configuration spaces, by number of the device. */
      readonly device_spaces: readonly (Int32Array | undefined)[];
      readonly devices: readonly ({ readonly pci_bars: (object | undefined)[] } | undefined)[];
      /** The address of a request to a configuration space, and the answer. */
      readonly pci_addr32: Int32Array;
      readonly pci_response: Uint8Array;
      pci_write8(address: number, value: number): void;
      pci_write16(address: number, value: number): void;
      pci_write32(address: number, value: number): void;
      register_device(device: object): void;
      raise_irq(id: number): void;
      lower_irq(id: number): void;
    };
    /** Missing without a disk. */
    readonly ide: { readonly primary: V86IdeChannel | undefined } | undefined;
    readonly vga: V86Vga;
    readonly ps2: V86Ps2;
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
  readonly instruction_counter: Uint32Array;
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
  svga_allocate_dest_buffer(pixels: number): number;
  svga_mark_dirty(): void;
  get_seg_cs(): number;
  /** Puts the counter of time stamps into `current_tsc`. */
  store_current_tsc(): void;
  set_tsc(low: number, high: number): void;
  /** Two halves, the lower one first. */
  readonly current_tsc: Uint32Array;
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
  /** The next turn of the processor, unless `tick` is that of a wait that was given up. */
  yield_callback(tick: number): void;
  save_state(): ArrayBuffer;
  restore_state(state: ArrayBuffer): void;
  /** The class has the clock of the emulator, in milliseconds. */
  readonly constructor: { microtick(): number };
}

const FUNCTIONS = [
  'io.port_read8',
  'io.port_write8',
  'io.port_write16',
  'io.register_read',
  'io.register_write',
  'devices.pci.pci_write8',
  'devices.pci.pci_write16',
  'devices.pci.pci_write32',
  'devices.pci.register_device',
  'devices.pci.raise_irq',
  'devices.pci.lower_irq',
  'devices.vga.screen_fill_buffer',
  'devices.vga.set_font_bitmap',
  'devices.vga.update_layers',
  'devices.ps2.kbd_send_code',
  'devices.ps2.mouse_send_click',
  'devices.ps2.mouse_send_delta',
  'svga_allocate_dest_buffer',
  'svga_mark_dirty',
  'device_raise_irq',
  'device_lower_irq',
  'jit_dirty_cache',
  'set_jit_config',
  'get_seg_cs',
  'update_state_flags',
  'store_current_tsc',
  'set_tsc',
  'reboot_internal',
  'is_memory_zeroed',
  'pack_memory',
  'unpack_memory',
  'devices.cdrom.set_cdrom',
  'devices.cdrom.eject',
  'devices.fdc.drives.0.insert_disk',
  'devices.fdc.drives.0.eject_disk',
] as const;
const NUMBERS = [
  'devices.ps2.command_register',
  ...[
    'max_cols',
    'max_rows',
    'max_scan_line',
    'start_address',
    'offset_register',
    'clocking_mode',
    'attribute_mode',
    'character_map_select',
    'palette_source',
    'cursor_address',
    'cursor_scanline_start',
    'cursor_scanline_end',
    'dac_mask',
    'screen_width',
    'screen_height',
    'virtual_width',
    'virtual_height',
  ].map((name) => `devices.vga.${name}`),
];
const BOOLEANS = ['devices.ps2.enable_keyboard_stream'];
const LOOP_FUNCTIONS = [
  'yield',
  'yield_callback',
  'save_state',
  'restore_state',
  'constructor.microtick',
] as const;
const OBJECTS = [
  'mem8',
  'memory_size',
  'devices.pci.isa_bridge_space8',
  'devices.pci.devices',
  'devices.pci.device_spaces',
  'devices.pci.pci_addr32',
  'devices.pci.pci_response',
  'devices.uart0.input',
  'devices.vga.screen',
  'devices.vga.dac_map',
  'devices.vga.vga256_palette',
  'devices.vga.vga_memory',
  'devices.vga.plane2',
  'devices.ps2.kbd_buffer',
  'devices.ps2.mouse_buffer',
  'wasm_memory',
  'current_tsc',
  'devices.pit.counter_start_time',
  'cr',
  'protected_mode',
  'flags',
  'in_hlt',
  'instruction_counter',
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
  const numbers = NUMBERS.filter((path) => typeof at(loop, `cpu.${path}`) !== 'number');
  const booleans = BOOLEANS.filter((path) => typeof at(loop, `cpu.${path}`) !== 'boolean');
  return [
    ...LOOP_FUNCTIONS.filter((name) => typeof at(loop, name) !== 'function'),
    ...[...functions, ...objects, ...numbers, ...booleans].map((path) => `cpu.${path}`),
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
