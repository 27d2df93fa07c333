/**
 * Tests that sessions and components that are opened and ended over and over leave nothing with
 * anybody.
 */
import {
  type Capability,
  capability,
  component,
  type Env,
  integer,
  rpc,
  rpcInterface,
  session,
} from '@ginit/core';
import type { Census } from '../../packages/core/src/runtime/entrypoint.ts';
import { describe, expect, test } from 'vitest';
import { type CarrierKind, finish, type InProcessSystem, startSystem } from '../harness/in-process-system.ts';
import { allLongIf } from '../harness/long.ts';

const Thing = rpcInterface('Thing', { poke: rpc<() => number>({ args: [], result: integer() }) });
type ThingCapability = Capability<typeof Thing>;

const Vault = session('Vault', {
  thing: rpc<() => ThingCapability>({ args: [], result: capability(Thing) }),
  use: rpc<(thing: ThingCapability) => number>({ args: [capability(Thing)], result: integer() }),
});

const vault = component({ provides: [Vault] }, (env) => {
  env.provide(Vault, () => {
    const thing = { poke: () => 1 };
    return {
      thing: () => env.capability(Thing, thing),
      use: async (given) => {
        using held = given;
        return held.poke();
      },
      [Symbol.dispose]: () => env.revoke(thing),
    };
  });
});

const relay = component({ provides: [Vault], requires: [Vault] }, (env) => {
  env.provide(Vault, ({ args, ram, caps }) => env.request(Vault, { args, donation: { ram, caps } }));
});

async function useAll(env: Env): Promise<void> {
  const [first, second] = await Promise.all([env.connect(Vault), env.connect(Vault, { label: 'second' })]);
  const thing = await first.thing();
  // The capability goes to its owner and to a third component; it is kept and released, with the
  // sessions open and closed.
  expect(await first.use(thing)).toBe(1);
  expect(await second.use(thing)).toBe(1);
  const own = env.capability(Thing, { poke: () => 7 });
  expect(await second.use(own)).toBe(7);
  await env.close(second);
  thing[Symbol.dispose]();
  await env.close(first);
}

/** Everything that each component holds, by label. */
function everything({ supervisor, platform }: InProcessSystem): Record<string, Census | undefined> {
  const core = supervisor.census();
  return { core, ...Object.fromEntries(core.live.map((label) => [label, platform.census(label)])) };
}

const rest = async (): Promise<void> => {
  for (let turn = 0; turn < 30; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
};

describe.each<CarrierKind>(['shared', 'copying', 'tiny rings', 'bus'])(
  'over a carrier that is %s',
  (kind) => {
    allLongIf(kind === 'bus');
    test('sessions, and capabilities passed around, leave nothing behind', async () => {
      let rounds = 0;
      let goOn: () => void = () => {};
      const client = component({}, async (env) => {
        for (;;) {
          await useAll(env);
          if (++rounds % 20 === 0) await new Promise<void>((resolve) => (goOn = resolve));
        }
      });
      const system = startSystem(
        kind,
        { vault, relay, client },
        `<start name="vault"> <provides> <service name="Vault"/> </provides> </start>
       <start name="vault2"> <binary name="vault"/> <provides> <service name="Vault"/> </provides> </start>
       <start name="relay"> <provides> <service name="Vault"/> </provides>
         <route> <service name="Vault"> <child name="vault2"/> </service> <any-service> <parent/> </any-service> </route>
       </start>
       <start name="client">
         <route> <service name="Vault" label_last="second"> <child name="relay"/> </service>
           <service name="Vault"> <child name="vault"/> </service> <any-service> <parent/> </any-service> </route>
       </start>`,
      );
      const afterRounds = async (number: number): Promise<Record<string, Census | undefined>> => {
        await expect.poll(() => rounds, { timeout: 20_000 }).toBe(number);
        await rest();
        return everything(system);
      };
      const before = await afterRounds(20);
      goOn();
      expect(await afterRounds(40)).toEqual(before);
      system.supervisor.end({ kind: 'exit', code: 0 });
      await finish(system);
    });

    test('components that crash and are started again leave nothing behind', async () => {
      let starts = 0;
      const victim = component({}, async (env) => {
        const session_ = await env.connect(Vault);
        const thing = await session_.thing();
        await session_.use(thing);
        starts++;
        await new Promise(() => {});
      });
      const system = startSystem(
        kind,
        { vault, victim },
        `<start name="vault"> <provides> <service name="Vault"/> </provides> </start>
       <start name="victim"> <restart max="1000" period_s="10"/> </start>`,
      );
      const afterStarts = async (number: number): Promise<unknown> => {
        for (let before = starts; before < number; before++) {
          if (before > 0) system.platform.crash('init -> victim');
          await expect.poll(() => starts, { timeout: 5000, interval: 1 }).toBe(before + 1);
        }
        await rest();
        // The ids of components go up; the number of held objects does not.
        return Object.fromEntries(
          Object.entries(everything(system)).map(([label, census]) => [
            label,
            census?.channels.map(({ exports, imports, calls }) => [exports, imports, calls]),
          ]),
        );
      };
      const before = await afterStarts(5);
      expect(await afterStarts(15)).toEqual(before);
      system.supervisor.end({ kind: 'exit', code: 0 });
      await finish(system);
    });
  },
);
