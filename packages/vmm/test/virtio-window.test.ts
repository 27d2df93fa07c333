/** The window to the registers of a virtio device, in its configuration space. */
import { expect, test } from 'vitest';
import { PciTransport } from '../src/devices/virtio/pci-transport.ts';
import { SplitQueue } from '../src/devices/virtio/split-queue.ts';

/** The type of its capability, and where the fields are in that. */
const WINDOW = 5;
const [BAR, OFFSET, LENGTH] = [4, 8, 12];

/** A device with a configuration of four bytes, and its configuration space. */
function device() {
  const memory = { sizeBytes: 0, view: () => new Uint8Array(0), written: () => {} };
  const transport = new PciTransport(
    {
      type: 2,
      pciClass: [1, 0, 0],
      features: [],
      config: Uint8Array.of(1, 2, 3, 4),
      driverReady: () => {},
      notified: () => {},
      resumed: () => {},
      reset: () => {},
    },
    new SplitQueue(memory, 8),
    { raiseInterrupt: () => {}, lowerInterrupt: () => {}, broken: () => {} },
  );
  const space = transport.configSpace({ legacyPort: 0xd000, modernPort: 0xe000, interruptLine: 3 });
  return { transport, space, view: new DataView(space.buffer) };
}

/** The place of a capability of virtio in a configuration space. */
function capability(space: Uint8Array, type: number): number {
  for (let at = space[0x34] ?? 0; at !== 0; at = space[at + 1] ?? 0) if (space[at + 3] === type) return at;
  throw new Error(`there is no capability of the type ${type}`);
}

test('a driver that reaches no ports finds all registers through the window', () => {
  const { transport, space, view } = device();
  const at = capability(space, WINDOW);
  expect(transport.windowDataAt).toBe(at + 16);
  const through = (bar: number, offset: number, length: number, written?: number): number => {
    view.setUint8(at + BAR, bar);
    view.setUint32(at + OFFSET, offset, true);
    view.setUint32(at + LENGTH, length, true);
    return transport.throughWindow(space, written);
  };
  const config = view.getUint32(capability(space, 4) + OFFSET, true);
  expect(through(1, config, 4)).toBe(0x0403_0201);
  expect(through(1, config + 2, 2)).toBe(0x0403);
  // The status of the modern transport, and that of the legacy one.
  through(1, 20, 1, 0xff03);
  expect([through(1, 20, 1), through(0, 18, 1)]).toEqual([3, 3]);
  for (const [bar, offset, length] of [
    [1, config, 3],
    [1, config + 1, 2],
    [1, 256, 4],
    [1, 0xffff_fffc, 4],
    [2, 0, 4],
    [0, 128, 1],
    [1, config, 0],
  ] as const)
    expect(through(bar, offset, length)).toBe(0);
});
