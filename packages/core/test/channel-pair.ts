/**
 * Two honest components with a channel between them, and the sizes of everything that they hold of
 * each other.
 */
import { afterEach } from 'vitest';
import type * as core from '../src/index.ts';
import type { Channel } from '../src/channel/channel.ts';
import type { Interface } from '../src/interface/interface.ts';
import { Entrypoint } from '../src/runtime/entrypoint.ts';
import { Thing, type ThingCapability } from './channel-raw-peer.ts';
import { type CarrierKind, carrierPair } from './in-process-platform.ts';

/** Two components with a channel between them. */
export interface Pair {
  readonly client: Entrypoint;
  readonly server: Entrypoint;
  /** The client's end, and the server's. */
  readonly ends: readonly [Channel, Channel];
  readonly reports: unknown[];
  close(): void;
}

const pairs: Pair[] = [];
afterEach(() => {
  for (const pair of pairs.splice(0)) pair.close();
});

/** The client finds the object at index 0. The channel is closed after the test. */
export function pairOf<I extends Interface>(
  kind: CarrierKind,
  interface_: I,
  implementation: core.Implementation<I>,
): Pair {
  const reports: unknown[] = [];
  const report = (error: unknown): void => void reports.push(error);
  const make = (): Entrypoint =>
    new Entrypoint({
      schedule: queueMicrotask,
      report,
      introduce: async () => {},
      violation: (_, what) => report(what),
    });
  const [client, server] = [make(), make()];
  const [here, there] = carrierPair(kind);
  const serving = server.addChannel(1, there, server.exportObject(interface_, implementation));
  const calling = client.addChannel(2, here);
  const pair: Pair = { client, server, ends: [calling, serving], reports, close: () => calling.close() };
  pairs.push(pair);
  return pair;
}

/** The sizes of all tables. */
export const tables = ({ ends }: Pair): number[] =>
  ends.flatMap(({ exports, importedObjects, pendingCalls }) => [exports.size, importedObjects, pendingCalls]);

/** An object of the client's. */
export const thing = (pair: Pair): ThingCapability => pair.client.export(Thing, { poke: () => 3 });
