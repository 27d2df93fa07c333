/** The engine v86 without a monitor around it. */
import { expect, test } from 'vitest';
import type { RegisterBlock } from '../src/devices/virtio/pci-transport.ts';
import { PCI_DEVICES_MAX, startV86, V86_MEMORY } from '../src/engine/v86/v86-engine.ts';
import { bootImage } from '../src/linux/boot-image.ts';
import { readElf, readKernelFile } from '../src/linux/kernel-file.ts';
import { Program } from './tiny-guest.ts';

const NO_REGISTERS: RegisterBlock = { size: 128, read: () => 0, write: () => {} };
/** The command by which a driver asks the sound card for an interrupt. */
const FORCE_INTERRUPT = 0xf2;
/** The first function of device 30, where v86 has its IDE controller, from its timing register on. */
const IDE_TIMING = 0x8000_f040 | 0;

test('without a BIOS the IDE controller has its cables switched on', async () => {
  const program = new Program().out(0xcf8, 4, IDE_TIMING);
  const elf = program.inByte(0xcfd).writeBit(7).inByte(0xcff).writeBit(7).halt().kernel();
  let written = '';
  let halted: () => void = () => {};
  const isHalted = new Promise<void>((resolve) => (halted = resolve));
  const disk = { sizeBytes: 1024 * 1024, read: async () => new Uint8Array(0), write: async () => {} };
  const memoryBytes = V86_MEMORY.least;
  const engine = await startV86(
    { memoryBytes, ideDisks: [disk], media: {}, firmware: undefined },
    {
      serialOutput: (byte) => (written += String.fromCharCode(byte)),
      turn: () => {},
      halted,
      reset: () => {},
      failed: () => {},
    },
  );
  const kernel = { file: readKernelFile(elf), kernel: readElf(elf) };
  engine.boot(bootImage({ ...kernel, initrd: undefined, commandLine: '', memoryBytes }));
  engine.run();
  await isHalted;
  await engine.close();
  expect(written).toBe('11');
});

test("our devices have interrupt lines of their own, and none is that of v86's sound card", async () => {
  const program = new Program().out(0x22c, 1, FORCE_INTERRUPT);
  // The interrupt controller is asked for the lines that are raised.
  const elf = program.out(0x20, 1, 0x0a).inByte(0x20).writeSerial().halt().kernel();
  let raised = 0;
  let halted: () => void = () => {};
  const isHalted = new Promise<void>((resolve) => (halted = resolve));
  const memoryBytes = V86_MEMORY.least;
  const engine = await startV86(
    { memoryBytes, ideDisks: [], media: {}, firmware: undefined },
    { serialOutput: (byte) => (raised = byte), turn: () => {}, halted, reset: () => {}, failed: () => {} },
  );
  const lines: number[] = [];
  for (let device = 0; device < PCI_DEVICES_MAX; device++) {
    engine.addPciDevice({
      name: `device ${device}`,
      legacy: NO_REGISTERS,
      modern: NO_REGISTERS,
      configSpace: ({ interruptLine }) => {
        lines.push(interruptLine);
        return new Uint8Array(256);
      },
    });
  }
  const kernel = { file: readKernelFile(elf), kernel: readElf(elf) };
  engine.boot(bootImage({ ...kernel, initrd: undefined, commandLine: '', memoryBytes }));
  engine.run();
  await isHalted;
  engine.close();
  expect(new Set(lines).size).toBe(PCI_DEVICES_MAX);
  const soundCard = 1 << 5;
  expect(raised & soundCard).toBe(soundCard);
  expect(lines.filter((line) => ((raised >> line) & 1) === 1)).toEqual([]);
});
