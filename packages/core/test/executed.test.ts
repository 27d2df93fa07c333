/**
 * Tests what `PeerGone` says of a call: whether it was carried out. The channel is cut after each
 * frame in turn; a call of which the caller hears `no` must never have reached the callee.
 */
import { leftOut } from '../../../test/harness/long.ts';
import { afterAll, describe, expect, test } from 'vitest';
import type { Carrier } from '../src/channel/carrier.ts';
import { bytes, type Capability, PeerGone, rpc, rpcInterface, u32 } from '../src/index.ts';
import { capabilityFor } from '../src/capability/capability.ts';
import { Entrypoint } from '../src/runtime/entrypoint.ts';
import { closeBus } from './bus-carriers.ts';
import { type CarrierKind, carrierPair } from './in-process-platform.ts';

const CALLS = 24;
/** The lengths of the calls: the long ones go through a ring, or beyond a window, in parts. */
const SHORT = [8, 3000, 60];
const longOf = (kind: CarrierKind): number => (kind === 'bus' ? 200_000 : 20_000);

const Marks = rpcInterface('Marks', {
  mark: rpc<(number: number, load: Uint8Array) => number>({ args: [u32, bytes(1_000_000)], result: u32 }),
});

/** What has become of the calls. */
interface Outcome {
  readonly executed: Set<number>;
  readonly answered: Set<number>;
  readonly said: Map<number, string>;
  frames: number;
}

/** Where the channel is cut: what the callee has sent last may still arrive, or not. */
interface Cut {
  readonly afterFrames: number;
}

/** The callee's end, which dies when so many frames have passed it. */
function mortal(carrier: Carrier, cut: Cut | undefined, outcome: Outcome): Carrier {
  let dead = false;
  const count = (): void => {
    if (++outcome.frames !== cut?.afterFrames) return;
    dead = true;
    carrier.close();
  };
  return {
    sharing: carrier.sharing,
    send: (frame, memory, left) => {
      if (dead) return false;
      const waits = carrier.send(frame, memory, left);
      count();
      return waits;
    },
    receive: (handler) =>
      carrier.receive((frame, memory) => {
        if (dead) return;
        handler(frame, memory);
        count();
      }),
    closed: (handler) =>
      carrier.closed((reason) => {
        if (!dead) handler(reason);
      }),
    close: () => {
      if (!dead) carrier.close();
    },
  };
}

const entrypoint = (): Entrypoint =>
  new Entrypoint({ schedule: queueMicrotask, report: () => {}, introduce: async () => {} });

async function run(kind: CarrierKind, cut: Cut | undefined): Promise<Outcome> {
  const outcome: Outcome = { executed: new Set(), answered: new Set(), said: new Map(), frames: 0 };
  const [client, server] = [entrypoint(), entrypoint()];
  const [here, there] = carrierPair(kind);
  const mark = (number: number): number => {
    outcome.executed.add(number);
    return number;
  };
  server.addChannel(1, mortal(there, cut, outcome), server.exportObject(Marks, { mark }));
  const channel = client.addChannel(2, here);
  const marks: Capability<typeof Marks> = capabilityFor(Marks, channel.import(0));
  const calls = Array.from({ length: CALLS }, async (_, number) => {
    try {
      await marks.mark(number, new Uint8Array(SHORT[number % 4] ?? longOf(kind)));
      outcome.answered.add(number);
    } catch (error) {
      outcome.said.set(number, error instanceof PeerGone ? error.executed : String(error));
    }
  });
  await Promise.all(calls);
  channel.close();
  return outcome;
}

afterAll(closeBus);

describe.each<CarrierKind>(['shared', 'copying', 'tiny rings', 'rings', 'bus'])(
  'over a carrier that is %s',
  (kind) => {
    test('a call that ends with "no" was not carried out, wherever the channel is cut', async () => {
      const whole = await run(kind, undefined);
      expect([whole.answered.size, whole.frames]).toEqual([CALLS, 2 * CALLS]);
      const said = new Set<string>();
      const step = leftOut(true) ? 3 : 1;
      for (let afterFrames = 1; afterFrames < whole.frames; afterFrames += step) {
        const { executed, answered, said: ends } = await run(kind, { afterFrames });
        for (const [number, what] of ends) {
          said.add(what);
          if (what === 'no') expect(executed.has(number), `call ${number}, frame ${afterFrames}`).toBe(false);
        }
        for (const number of answered) expect(executed.has(number)).toBe(true);
      }
      // A carrier within one thread that is not a ring takes every frame at once.
      const takesAll = kind === 'shared' || kind === 'copying';
      expect([...said].toSorted()).toEqual(takesAll ? ['maybe'] : ['maybe', 'no']);
    });

    test('a call after the end was not carried out', async () => {
      const [client, server] = [entrypoint(), entrypoint()];
      const [here, there] = carrierPair(kind);
      server.addChannel(1, there, server.exportObject(Marks, { mark: (number) => number }));
      const channel = client.addChannel(2, here);
      const marks = capabilityFor(Marks, channel.import(0));
      channel.close();
      await expect(marks.mark(1, new Uint8Array(1))).rejects.toMatchObject({
        code: 'PeerGone',
        executed: 'no',
      });
    });
  },
);
