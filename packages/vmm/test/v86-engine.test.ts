/** The engine v86 without a monitor around it. */
import { expect, test } from 'vitest';
import type { FramebufferMode } from '@ginit/core/framebuffer';
import { chordsOfText, eventsOfChord } from '@ginit/core/input';
import type { IdeDisk } from '../src/engine/engine.ts';
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
/** The bit of the keyboard controller's command byte that has it translate. */
const KEYBOARD_TRANSLATES = 0x40;

const MEMORY_BYTES = V86_MEMORY.least;

/** An engine, and the last byte that its guest has written when that has halted. */
async function engineOf(program: Program, ideDisks: readonly IdeDisk[] = [], screen?: FramebufferMode) {
  let last = 0;
  let halted: () => void = () => {};
  const isHalted = new Promise<void>((resolve) => (halted = resolve));
  const engine = await startV86(
    { memoryBytes: MEMORY_BYTES, ideDisks, media: {}, firmware: undefined, screen },
    { serialOutput: (byte) => (last = byte), turn: () => {}, halted, reset: () => {}, failed: () => {} },
  );
  const lastByte = async (): Promise<number> => {
    const elf = program.halt().kernel();
    const kernel = { file: readKernelFile(elf), kernel: readElf(elf) };
    engine.boot(bootImage({ ...kernel, initrd: undefined, commandLine: '', memoryBytes: MEMORY_BYTES }));
    engine.run();
    await isHalted;
    await engine.close();
    return last;
  };
  return { engine, lastByte };
}

test('without a BIOS, the keyboard has the codes that Linux expects of one behind a BIOS', async () => {
  const program = new Program().out(0x64, 1, 0x20).inByte(0x60).writeSerial();
  const { lastByte } = await engineOf(program);
  expect((await lastByte()) & KEYBOARD_TRANSLATES).toBe(KEYBOARD_TRANSLATES);
});

test('without a BIOS, the keyboard is switched on', async () => {
  const program = new Program().readKeyboard().writeSerial();
  const { engine, lastByte } = await engineOf(program, [], { width: 720, height: 480 });
  const last = lastByte();
  for (const chord of chordsOfText('p'))
    for (const event of eventsOfChord(chord)) engine.display?.input(event);
  expect(await last).toBe(0x19);
});

test('without a BIOS, the cables of the IDE controller are switched on', async () => {
  const disk = { sizeBytes: 1024 * 1024, read: async () => new Uint8Array(0), write: async () => {} };
  for (const timing of [0xcfd, 0xcff]) {
    const program = new Program().out(0xcf8, 4, IDE_TIMING).inByte(timing).writeBit(7);
    const { lastByte } = await engineOf(program, [disk]);
    expect(await lastByte()).toBe('1'.charCodeAt(0));
  }
});

/** A request to the first configuration word of a device that there is not. */
const NOBODY = 0x8000_b800 | 0;

test('a guest may write to the configuration space of a device that there is not', async () => {
  const program = new Program().out(0xcf8, 4, NOBODY);
  program.out(0xcfc, 1, 1).out(0xcfc, 2, 1).out(0xcfc, 4, 1).inByte(0xcfc).writeSerial();
  const { lastByte } = await engineOf(program);
  expect(await lastByte()).toBe(0xff);
});

test('a window in the configuration space leads to the registers of a device', async () => {
  const written: [number, number, number][] = [];
  const registers: RegisterBlock = {
    size: 128,
    read: (offset, bytes) => (offset === 20 && bytes === 1 ? 0x41 : 0),
    write: (offset, bytes, value) => written.push([offset, bytes, value]),
  };
  const windowDataAt = 0x80;
  const device = {
    name: 'device',
    legacy: NO_REGISTERS,
    modern: registers,
    window: {
      windowDataAt,
      throughWindow: (space: Uint8Array, value?: number) => {
        const offset = space[0x78] ?? 0;
        if (value === undefined) return registers.read(offset, 1);
        registers.write(offset, 1, value);
        return 0;
      },
    },
    configSpace: () => new Uint8Array(256),
  };
  const at = (offset: number): number => 0x8000_4000 | offset | 0;
  const program = new Program().out(0xcf8, 4, at(0x78)).out(0xcfc, 4, 20);
  program.out(0xcf8, 4, at(windowDataAt)).out(0xcfc, 4, 0x1234_5678).inByte(0xcfc).writeSerial();
  const { engine, lastByte } = await engineOf(program);
  engine.addPciDevice(device);
  expect(await lastByte()).toBe(0x41);
  expect(written).toEqual([[20, 1, 0x1234_5678]]);
});

test("our devices have interrupt lines of their own, and none is that of v86's sound card", async () => {
  const program = new Program().out(0x22c, 1, FORCE_INTERRUPT);
  // The interrupt controller is asked for the lines that are raised.
  program.out(0x20, 1, 0x0a).inByte(0x20).writeSerial();
  const { engine, lastByte } = await engineOf(program);
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
  const raised = await lastByte();
  expect(new Set(lines).size).toBe(PCI_DEVICES_MAX);
  const soundCard = 1 << 5;
  expect(raised & soundCard).toBe(soundCard);
  expect(lines.filter((line) => ((raised >> line) & 1) === 1)).toEqual([]);
});
