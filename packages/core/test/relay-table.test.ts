/** What waits in the port of a component that takes nothing is bounded, and only there. */
import { type MessagePort, MessageChannel } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { LIMITS } from '../src/limits.ts';
import { SHARES_NO_MACHINE } from '../src/memory/shared-memory.ts';
import { RelayTable } from '../src/platform/domain/relay-table.ts';
import { PortCarrier } from '../src/platform/thread/port-carrier.ts';
import { portCountMemory, PortCount, WaitingInPort } from '../src/platform/wire/port-count.ts';

const CHANNEL = 7;
/** Two fit into the bound. Nobody writes to them, so they cost no memory. */
const LARGE_BYTES = 256 * 1024 * 1024;
const ports: MessagePort[] = [];
afterEach(() => ports.splice(0).forEach((port) => port.close()));

/** A relay to the port of a component. */
function scene() {
  const sent: number[] = [];
  let overruns = 0;
  const link = { send: (_channel: number, frame: Uint8Array) => sent.push(frame.byteLength) };
  const table = new RelayTable(link);
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const taken = portCountMemory();
  table.add(CHANNEL, { port: port1, ring: () => {}, bound: { taken, overrun: () => overruns++ } });
  const carrier = new PortCarrier(port2, () => {}, SHARES_NO_MACHINE, taken);
  return {
    carrier,
    deliver: (count: number) => {
      for (let frame = 0; frame < count; frame++) table.deliver(CHANNEL, new Uint8Array(LARGE_BYTES));
    },
    ended: () => ({ sent, overruns }),
  };
}

test('a peer that sends on to a component which takes nothing loses the channel, once', () => {
  const { deliver, ended } = scene();
  deliver(2);
  expect(ended()).toEqual({ sent: [], overruns: 0 });
  deliver(3);
  // The other end is told by an empty frame.
  expect(ended()).toEqual({ sent: [0], overruns: 1 });
});

test('a component that takes what comes loses nothing, however much that is', () => {
  const { carrier, deliver, ended } = scene();
  let come = 0;
  carrier.receive(() => come++);
  for (let round = 0; round < 20; round++) {
    deliver(2);
    carrier.drain();
  }
  expect(come).toBe(40);
  expect(ended()).toEqual({ sent: [], overruns: 0 });
});

test('frames are bounded too, however short they are', () => {
  const taken = portCountMemory();
  const waiting = new WaitingInPort(taken);
  let frames = 0;
  while (waiting.fits(1)) frames++;
  expect(frames).toBe(LIMITS.ringWaitingFrames);
  new PortCount(taken).add(1);
  expect(waiting.fits(1)).toBe(true);
});
