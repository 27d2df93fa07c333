/** Tests that objects which others hold are paid for by the capability quota of their maker. */
import {
  type Capability,
  capability,
  component,
  hasCode,
  rpc,
  rpcInterface,
  session,
  u32,
} from '@ginit/core';
import { describe, expect, test } from 'vitest';
import { type CarrierKind, runSystem } from '../harness/in-process-system.ts';
import { allLongIf } from '../harness/long.ts';

const Thing = rpcInterface('Thing', { number: rpc<() => number>({ args: [], result: u32 }) });
type ThingCapability = Capability<typeof Thing>;

const Maker = session('Maker', {
  make: rpc<(number: number) => ThingCapability>({ args: [u32], result: capability(Thing) }),
  free: rpc<() => number>({ args: [], result: u32 }),
});

const maker = component({ provides: [Maker] }, (env) => {
  env.provide(Maker, () => ({
    make: (number) => env.capability(Thing, { number: () => number }),
    free: async () => {
      const { capQuota, capUsed } = await env.quota();
      return capQuota - capUsed;
    },
  }));
});

const starts = (caps: number): string => `
  <start name="maker" caps="${caps}"> <provides> <service name="Maker"/> </provides> </start>
  <start name="client" caps="100"> <exit propagate="yes"/> </start>`;

/** Runs a client against a maker with so many capabilities; it must exit with 0. */
async function withMaker(
  kind: CarrierKind,
  caps: number,
  client: (maker: Capability<typeof Maker>, log: (text: string) => Promise<void>) => Promise<void>,
): Promise<readonly string[]> {
  const main = component({}, async (env) => {
    await client(await env.connect(Maker), (text) => env.log(text));
    env.exit(0);
  });
  const { end, lines } = await runSystem(kind, { maker, client: main }, starts(caps));
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
  return lines;
}

describe.each<CarrierKind>(['shared', 'copying', 'tiny rings', 'bus'])(
  'over a carrier that is %s',
  (kind) => {
    allLongIf(kind === 'bus');
    test('any number of objects can be made in one turn, as long as the quota lasts', async () => {
      const lines = await withMaker(kind, 1000, async (session_, log) => {
        const free = await session_.free();
        const made = await Promise.all(Array.from({ length: 500 }, (_, number) => session_.make(number)));
        const numbers = await Promise.all(made.map((thing) => thing.number()));
        await log(`right ${numbers.every((number, index) => number === index)}`);
        await log(`paid ${free - (await session_.free())}`);
        for (const thing of made) thing[Symbol.dispose]();
        while ((await session_.free()) !== free);
        await log('all back');
      });
      expect(lines).toEqual(
        expect.arrayContaining([
          '[init -> client] right true',
          '[init -> client] paid 500',
          '[init -> client] all back',
        ]),
      );
    });

    test('objects beyond the quota are refused, and there is room again when some are released', async () => {
      const lines = await withMaker(kind, 100, async (session_, log) => {
        const made: ThingCapability[] = [];
        let refusal: unknown;
        while (refusal === undefined) {
          const one = await session_.make(made.length).catch((error: unknown) => error);
          if (hasCode(one, 'OUT_OF_CAPS')) refusal = one;
          else made.push(one as ThingCapability);
        }
        await log(`some ${made.length > 20 && made.length <= 100 + 64}`);
        await log(String(refusal));
        // The maker may be some objects ahead when the supervisor says that there are no more.
        for (const thing of made.splice(0, made.length / 2)) thing[Symbol.dispose]();
        while ((await session_.free()) === 0);
        await session_.make(7);
        await log('another');
      });
      expect(lines).toEqual(
        expect.arrayContaining(['[init -> client] some true', '[init -> client] another']),
      );
      expect(lines.join('\n')).toContain('the capability quota is used up (raise caps= in the start node)');
    });
  },
);
