/** The tables of ACPI and its power registers. */
import { expect, test } from 'vitest';
import { PowerRegisters } from '../src/devices/acpi/power-registers.ts';
import { ACPI_TABLES_AT, acpiTables } from '../src/devices/acpi/tables.ts';

test('tables lead to each other, and their sums are zero', () => {
  const all = acpiTables({ powerPort: 0xb000, powerInterrupt: 9, slots: [{ slot: 8, line: 5 }] });
  const view = new DataView(all.buffer);
  const text = (at: number, length: number): string => String.fromCharCode(...all.subarray(at, at + length));
  const sum = (at: number, length: number): number =>
    all.subarray(at, at + length).reduce((total, value) => (total + value) & 0xff, 0);
  const follow = (at: number): number => view.getUint32(at, true) - ACPI_TABLES_AT;
  expect([text(0, 8), sum(0, 20)]).toEqual(['RSD PTR ', 0]);
  const rsdt = follow(16);
  const fadt = follow(rsdt + 36);
  const dsdt = follow(fadt + 40);
  for (const [at, name] of [
    [rsdt, 'RSDT'],
    [fadt, 'FACP'],
    [dsdt, 'DSDT'],
  ] as const) {
    expect([text(at, 4), sum(at, view.getUint32(at + 4, true))]).toEqual([name, 0]);
  }
  expect(text(follow(fadt + 36), 4)).toBe('FACS');
  expect([view.getUint16(fadt + 46, true), view.getUint32(fadt + 56, true)]).toEqual([9, 0xb000]);
  expect(dsdt + view.getUint32(dsdt + 4, true)).toBe(all.byteLength);
});

test('the button raises an interrupt only for a guest that listens, until that takes it back', () => {
  let [line, off] = ['low', 0];
  const power = new PowerRegisters({
    raiseInterrupt: () => (line = 'high'),
    lowerInterrupt: () => (line = 'low'),
    off: () => off++,
  });
  const { block } = power;
  power.press();
  expect([line, power.isListening, block.read(0, 2), block.read(1, 1)]).toEqual(['low', false, 0x100, 1]);
  block.write(2, 2, 0x100);
  expect([line, power.isListening, block.read(0, 4)]).toEqual(['high', true, 0x100_0100]);
  block.write(0, 2, 0x100);
  expect([line, block.read(0, 2)]).toEqual(['low', 0]);
  expect(block.read(4, 2)).toBe(1);
  block.write(4, 2, 0x3000);
  expect(off).toBe(0);
  block.write(4, 2, 0x3401);
  expect(off).toBe(1);
  power.reset();
  expect(power.isListening).toBe(false);
});
