/**
 * Tests that a component pays from its quota for everything that the supervisor does for it
 * (sessions, accounts, components), and that the quota comes back.
 */
import { component, type Env, hasCode, Log, Rom, RpcError, type SessionInterface, Timer } from '@ginit/core';
import { type AccountState, COSTS, Cpu, Pd, Parent, sumOf } from '@ginit/core/system';
import { describe, expect, test } from 'vitest';
import { uniformParent } from '../../packages/core/test/test-parent.ts';
import { INIT_COST } from '../../packages/init/src/model/index.ts';
import { type CarrierKind, runSystem } from '../harness/in-process-system.ts';

const codeOf = (error: unknown): string => (error instanceof RpcError ? error.code : String(error));

/**
 * Repeats a step until it is refused. The result is the error's code, and the number of steps that
 * succeeded.
 */
async function untilRefused(step: () => Promise<unknown>): Promise<{ code: string; count: number }> {
  for (let count = 0; ; count++) {
    if (count > 1000) return { code: 'never', count };
    try {
      await step();
    } catch (error) {
      return { code: codeOf(error), count };
    }
  }
}

async function freeCaps(env: Env): Promise<number> {
  const { capQuota, capUsed } = await env.quota();
  return capQuota - capUsed;
}

/**
 * Runs an attacker with 300 capabilities beside a bystander that opens sessions all the time, both
 * side by side or nested.
 */
async function attacked(
  kind: CarrierKind,
  attack: (env: Env) => Promise<void>,
  nested: boolean,
): Promise<readonly string[]> {
  let over = false;
  const attacker = component({}, async (env) => {
    try {
      await attack(env);
    } finally {
      over = true;
    }
  });
  const bystander = component({}, async (env) => {
    for (let served = 0; ; served++) {
      for (const interface_ of [Timer, Log]) await env.close(await env.connect(interface_));
      await env.timer.sleep(0);
      if (!over || served === 0) continue;
      await env.log(`served until ${served > 0 ? 'the end' : 'nothing'}`);
      return env.exit(0);
    }
  });
  const idle = component({}, () => {});
  const start = '<start name="attacker" caps="300" ram="4M"/>';
  const inner = `<start name="mid" caps="500" ram="8M"> <binary name="init"/>
    <config>
      <parent-provides> <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/>
        <service name="Timer"/> </parent-provides>
      <default-route> <any-service> <parent/> </any-service> </default-route>
      ${start}
    </config> </start>`;
  const bystanding = '<start name="bystander"> <exit propagate="yes"/> </start>';
  const components = { attacker, bystander, idle };
  const { end, lines } = await runSystem(kind, components, `${nested ? inner : start} ${bystanding}`);
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
  expect(lines).toContain('[init -> bystander] served until the end');
  const prefix = `[init -> ${nested ? 'mid -> ' : ''}attacker] `;
  return lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
}

/** For components that wait for their LOG session for ever. */
const never = (): Promise<never> => new Promise(() => {});
const silentParent = uniformParent(never);

describe.each<[CarrierKind, boolean]>([
  ['shared', false],
  ['copying', false],
  ['shared', true],
])('over a carrier that is %s, nested: %s', (kind, nested) => {
  test.each<[string, SessionInterface, string]>([
    ['Timer', Timer, ''],
    ['LOG', Log, ''],
    ['ROM', Rom, 'config'],
    ['PD', Pd, ''],
    ['CPU', Cpu, ''],
  ])(
    'a %s session without a donation is refused, and there are no more sessions than the quota pays for',
    async (_, interface_, label) => {
      const lines = await attacked(
        kind,
        async (env) => {
          const nothing = await untilRefused(() =>
            env.connect(interface_, { label, donation: { ram: 0, caps: 0 } }),
          );
          await env.log(`nothing ${nothing.code} ${nothing.count}`);
          const little = { ram: interface_.cost.ram, caps: interface_.cost.caps - 1 };
          const few = await untilRefused(() => env.connect(interface_, { label, donation: little }));
          await env.log(`few ${few.code} ${few.count}`);
          const free = await freeCaps(env);
          const open: object[] = [];
          const all = await untilRefused(async () => {
            open.push(await env.connect(interface_, { label }));
          });
          await env.log(`all ${all.code} ${all.count === Math.floor(free / interface_.cost.caps)}`);
          await Promise.all(open.map((session) => env.close(session)));
          await env.log(`back ${(await freeCaps(env)) === free}`);
        },
        nested,
      );
      expect(lines).toEqual([
        'nothing INSUFFICIENT_RAM 0',
        'few INSUFFICIENT_CAPS 0',
        'all OUT_OF_CAPS true',
        'back true',
      ]);
    },
  );

  test('components are paid for by their account, and so are objects of ended components until they are released', async () => {
    const lines = await attacked(
      kind,
      async (env) => {
        const cpu = await env.connect(Cpu);
        const binary = await env.connect(Rom, { label: 'idle' });
        const start = (): Promise<{ kill(): Promise<void> } & Disposable> =>
          cpu.start({
            pd: env.pd,
            parent: env.capability(Parent, silentParent),
            binary,
            isolation: 'thread',
            grants: [],
          });
        const free = await freeCaps(env);
        const threads: Awaited<ReturnType<typeof start>>[] = [];
        const all = await untilRefused(async () => threads.push(await start()));
        const each = COSTS.thread.caps + COSTS.threadObject.caps;
        await env.log(`all ${all.code} ${all.count >= free / each - 2 && all.count <= free / each}`);
        await Promise.all(threads.map((thread) => thread.kill()));
        const kept = free - (await freeCaps(env));
        await env.log(`kept ${kept >= threads.length && kept < 2 * threads.length}`);
        for (const thread of threads) thread[Symbol.dispose]();
        while ((await freeCaps(env)) < free - 1);
        await env.log('back');
      },
      nested,
    );
    expect(lines).toEqual(['all OUT_OF_CAPS true', 'kept true', 'back']);
  });

  test('a component ends with its account, so nothing runs that nobody pays for', async () => {
    const lines = await attacked(
      kind,
      async (env) => {
        const [cpu, pd] = await Promise.all([env.connect(Cpu), env.connect(Pd)]);
        const binary = await env.connect(Rom, { label: 'idle' });
        await pd.setReferenceAccount(env.pd);
        await env.pd.transfer(pd, { ram: 1024 * 1024, caps: 50 });
        const free = await freeCaps(env);
        const thread = await cpu.start({
          pd,
          parent: env.capability(Parent, silentParent),
          binary,
          isolation: 'process',
          grants: [],
        });
        await env.log(`used ${(await pd.state()).capUsed >= COSTS.thread.caps + COSTS.process.caps}`);
        await env.close(pd);
        await env.log(`state ${await thread.state().then(() => 'there', codeOf)}`);
        while ((await freeCaps(env)) < free + 50 - 1);
        await env.log('back');
      },
      nested,
    );
    expect(lines).toEqual(['used true', 'state Revoked', 'back']);
  });

  test('an allocation takes at least one capability', async () => {
    const lines = await attacked(
      kind,
      async (env) => {
        const why = await env.pd.allocate({ ram: 0, caps: 0 }).catch((error: unknown) => error);
        await env.log(`refused ${hasCode(why, 'InvalidArgument')}`);
      },
      nested,
    );
    expect(lines).toEqual(['refused true']);
  });
});

test('a child has the quota of its start node, less the costs of what init makes for it; a process of its own costs more', async () => {
  const quotas: Record<string, AccountState> = {};
  const child = (name: string) => component({}, async (env) => void (quotas[name] = await env.quota()));
  const client = component({}, async (env) => {
    while (!quotas['threaded'] || !quotas['alone']) await env.timer.sleep(5);
    env.exit(0);
  });
  await runSystem(
    'shared',
    { threaded: child('threaded'), alone: child('alone'), client },
    `<start name="threaded" ram="2M" caps="80"/> <start name="alone" ram="2M" caps="80" isolation="process"/>
     <start name="client"> <exit propagate="yes"/> </start>`,
  );
  const { threaded, alone } = quotas;
  // By then init has donated the costs of its own ROM and LOG sessions.
  const less = sumOf(INIT_COST, Rom.cost, Log.cost);
  const given = { ramQuota: 2 * 1024 * 1024 - less.ram, capQuota: 80 - less.caps };
  expect([threaded, alone]).toEqual([expect.objectContaining(given), expect.objectContaining(given)]);
  expect((alone?.capUsed ?? 0) - (threaded?.capUsed ?? 0)).toBe(COSTS.process.caps);
  expect((alone?.ramUsed ?? 0) - (threaded?.ramUsed ?? 0)).toBe(COSTS.process.ram);
});
