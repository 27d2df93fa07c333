/**
 * The ACPI tables of a machine without a BIOS (ACPI specification 1.0b, of which every guest knows
 * the tables): where the power registers are, how the machine is switched off, and which interrupt
 * each PCI slot has. A guest that uses ACPI finds its PCI bus by them.
 */
import {
  type Aml,
  ascii,
  buffer,
  byte,
  bytes1,
  bytes2,
  bytes4,
  device,
  doubleWord,
  named,
  packageOf,
  scope,
} from './aml.ts';
import { POWER_REGISTERS, SLEEP_TYPE_OFF } from './power-registers.ts';

/** Where the tables begin; the guest looks for the first of them from here on. */
export const ACPI_TABLES_AT = 0xe_0000;

/** A slot of the PCI bus and its interrupt. */
export interface SlotInterrupt {
  readonly slot: number;
  readonly line: number;
}

/** The place of a machine's power registers, and what its slots have. */
export interface AcpiMachine {
  readonly powerPort: number;
  readonly powerInterrupt: number;
  readonly slots: readonly SlotInterrupt[];
}

const FACS_AT = ACPI_TABLES_AT + 0x40;
const FADT_AT = ACPI_TABLES_AT + 0x80;
const RSDT_AT = ACPI_TABLES_AT + 0x100;
const DSDT_AT = ACPI_TABLES_AT + 0x200;
const HEADER_BYTES = 36;
const PCI_HOST_BRIDGE = 0x030a_d041;
const WRITE_BACK_FLUSHES = 1;
const HALTS = 1 << 2;
const NO_SLEEP_BUTTON = 1 << 5;
const NO_CLOCK_EVENT = 1 << 6;
/** Latencies of processor states that are not there. */
const NO_STATE_2 = 101;
const NO_STATE_3 = 1001;

/** The tables, to be put at `ACPI_TABLES_AT`. */
export function acpiTables(machine: AcpiMachine): Uint8Array {
  const dsdt = table('DSDT', 1, definitions(machine));
  const tables: readonly (readonly [number, Aml])[] = [
    [ACPI_TABLES_AT, rootPointer()],
    [FACS_AT, [...ascii('FACS'), ...bytes4(64), ...zeros(56)]],
    [FADT_AT, table('FACP', 1, fixedDescription(machine))],
    [RSDT_AT, table('RSDT', 1, bytes4(FADT_AT))],
    [DSDT_AT, dsdt],
  ];
  const all = new Uint8Array(DSDT_AT - ACPI_TABLES_AT + dsdt.length);
  for (const [at, content] of tables) all.set(content, at - ACPI_TABLES_AT);
  return all;
}

function zeros(count: number): Aml {
  return Array.from({ length: count }, () => 0);
}

/** What makes the sum of all bytes zero. */
function checksum(content: Aml): number {
  return -content.reduce((sum, value) => sum + value, 0) & 0xff;
}

function rootPointer(): Aml {
  const before = ascii('RSD PTR ');
  const after = [...ascii('GINIT '), 0, ...bytes4(RSDT_AT)];
  return [...before, checksum([...before, ...after]), ...after];
}

function table(signature: string, revision: number, content: Aml): Aml {
  const before = [...ascii(signature), ...bytes4(HEADER_BYTES + content.length), revision];
  const maker = [...ascii('GINIT '), ...ascii('VMM     '), ...bytes4(1), ...ascii('GNIT'), ...bytes4(1)];
  return [...before, checksum([...before, ...maker, ...content]), ...maker, ...content];
}

function fixedDescription({ powerPort, powerInterrupt }: AcpiMachine): Aml {
  const { events, control } = POWER_REGISTERS;
  return [
    ...bytes4(FACS_AT, DSDT_AT),
    // The dual PIC; no way to leave ACPI, so no command port.
    ...bytes1(0, 0),
    ...bytes2(powerInterrupt),
    ...bytes4(0),
    ...bytes1(0, 0, 0, 0),
    ...bytes4(powerPort + events, 0, powerPort + control, 0, 0, 0, 0, 0),
    // Bytes of these registers: events, control, and six that are not there.
    ...bytes1(4, 2, 0, 0, 0, 0, 0, 0),
    ...bytes2(NO_STATE_2, NO_STATE_3, 0, 0),
    ...bytes1(0, 0, 0, 0, 0, 0, 0, 0),
    ...bytes4(WRITE_BACK_FLUSHES | HALTS | NO_SLEEP_BUTTON | NO_CLOCK_EVENT),
  ];
}

function definitions({ slots }: AcpiMachine): Aml {
  const off = byte(SLEEP_TYPE_OFF);
  const routes = slots.map(({ slot, line }) =>
    packageOf(doubleWord(((slot << 16) | 0xffff) >>> 0), byte(0), byte(0), byte(line)),
  );
  return [
    ...named('_S5_', packageOf(off, off, byte(0), byte(0))),
    ...scope(
      '_SB_',
      device(
        'PCI0',
        named('_HID', doubleWord(PCI_HOST_BRIDGE)),
        named('_ADR', byte(0)),
        named('_CRS', buffer(hostBridgeWindows())),
        named('_PRT', packageOf(...routes)),
      ),
    ),
  ];
}

const MEMORY_WINDOW = 0;
const PORT_WINDOW = 1;
const BUS_WINDOW = 2;
const FIXED_ENDS = 0x0c;
const ENTIRE_RANGE = 3;
const READ_WRITE = 1;

/** The numbers, ports and addresses that go to the bus (resources, as `_CRS` has them). */
function hostBridgeWindows(): Aml {
  const words = (kind: number, flags: number, first: number, last: number): Aml => [
    ...bytes1(0x88, 13, 0, kind, FIXED_ENDS, flags),
    ...bytes2(0, first, last, 0, last - first + 1),
  ];
  const memory = (first: number, last: number): Aml => [
    ...bytes1(0x87, 23, 0, MEMORY_WINDOW, FIXED_ENDS, READ_WRITE),
    ...bytes4(0, first, last, 0, last - first + 1),
  ];
  return [
    ...words(BUS_WINDOW, 0, 0, 0xff),
    // The bridge's own two registers, which are no window.
    ...bytes1(0x47, 1),
    ...bytes2(0xcf8, 0xcf8),
    ...bytes1(1, 8),
    ...words(PORT_WINDOW, ENTIRE_RANGE, 0, 0xcf7),
    ...words(PORT_WINDOW, ENTIRE_RANGE, 0xd00, 0xffff),
    ...memory(0xa_0000, 0xb_ffff),
    ...memory(0x8000_0000, 0xfebf_ffff),
    ...bytes1(0x79, 0),
  ];
}
