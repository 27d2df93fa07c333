/**
 * Tests sessions that end badly, and servers that misbehave in that: nothing hangs, nothing is
 * lost, and no other component pays.
 */
import {
  component,
  type Env,
  hasCode,
  nothing,
  Rom,
  rpc,
  RpcError,
  session,
  SessionError,
  text,
} from '@ginit/core';
import { LIMITS, type Resources, someSession } from '@ginit/core/system';
import { describe, expect, test } from 'vitest';
import { parentOf, provideByRoot, watchParents } from '../harness/hostile-parts.ts';
import { type CarrierKind, finish, runSystem, startSystem } from '../harness/in-process-system.ts';

const MIB = 2 ** 20;

const Store = session('Store', {
  keep: rpc<(words: string) => void>({ args: [text()], result: nothing }),
});

const Greed = session('Greed', { begin: rpc<() => void>({ args: [], result: nothing }) });

const KEEP = { keep: () => {} };

/** The quota of a component, without the cost of its first use of the timer. */
async function quotaOf(env: Env): Promise<Resources> {
  await env.timer.elapsedUs();
  const { ramQuota, capQuota } = await env.quota();
  return { ram: ramQuota, caps: capQuota };
}

/**
 * Settles when the component's quota is as it was before, with the present quota. Gives up after a
 * while.
 */
async function quotaAgain(env: Env, before: Resources): Promise<Resources> {
  let now = await quotaOf(env);
  for (let looks = 0; looks < 200 && (now.ram !== before.ram || now.caps !== before.caps); looks++) {
    await env.timer.sleep(10);
    now = await quotaOf(env);
  }
  return now;
}

const missing = (before: Resources, after: Resources): string =>
  `missing ${before.ram - after.ram} bytes, ${before.caps - after.caps} caps`;

const CLIENT = `<start name="client" caps="200" ram="100M"> <exit propagate="yes"/> </start>`;
const server = (name: string, more = ''): string =>
  `<start name="${name}" ram="4M" caps="100" ${more}> <provides> <service name="Store"/> </provides> </start>`;

/**
 * A client that opens a session with 50 MiB, uses it, and reports the quota that is missing
 * afterwards.
 */
function donor(use: (env: Env, store: object) => Promise<void>): ReturnType<typeof component> {
  return component({}, async (env) => {
    const before = await quotaOf(env);
    const store = await env.connect(Store, { ram: 50 * MIB, caps: 10 });
    await use(env, store);
    await env.log(missing(before, await quotaAgain(env, before)));
    env.exit(0);
  });
}

describe.each<CarrierKind>(['shared', 'copying'])('over a carrier that is %s', (kind) => {
  test('a server that answers close with an error costs its client nothing, and does not end init', async () => {
    const rude = component({ provides: [Store] }, (env) => {
      const object = env.capability(Store, KEEP);
      provideByRoot(env, Store, {
        session: () => someSession(object, 'store'),
        upgrade: () => {},
        close: () => {
          throw new SessionError('DENIED', 'never');
        },
      });
    });
    const client = donor((env, store) => env.close(store).then(() => {}));
    const { end, lines } = await runSystem(kind, { rude, client }, server('rude') + CLIENT);
    expect(end).toEqual({ kind: 'exit', code: 0 });
    expect(lines).toContain('[init -> client] missing 0 bytes, 0 caps');
    expect(lines).toContain('[init] Warning: child "rude" fails to close sessions (DENIED)');
  });

  test('a server that allocates and frees near its quota meanwhile does no harm to init', async () => {
    const busy = component({ provides: [Store] }, (env) => {
      env.provide(Store, () => KEEP);
      const work = async (): Promise<void> => {
        for (;;) {
          const { ramQuota, ramUsed } = await env.quota();
          const allocation = await env.pd
            .allocate({ ram: Math.max(0, ramQuota - ramUsed - 64), caps: 1 })
            .catch(() => undefined);
          if (allocation !== undefined) await env.pd.free(allocation);
        }
      };
      work().catch(() => {});
    });
    const client = component({}, async (env) => {
      for (let round = 0; round < 30; round++) {
        // Memory that the server has allocated at that moment is missing for the session, or for
        // the way back.
        const store = await env.connect(Store, { ram: MIB }).catch(() => undefined);
        if (store) await env.close(store);
      }
      env.exit(0);
    });
    const { end } = await runSystem(kind, { busy, client }, server('busy') + CLIENT);
    expect(end).toEqual({ kind: 'exit', code: 0 });
  });

  test('quota that a server keeps of a session that it denies is lost by its client, not by init', async () => {
    const greedy = component({ provides: [Store] }, (env) => {
      env.provide(Store, async ({ donation }) => {
        await env.pd.allocate({ ram: donation.ram, caps: 1 });
        throw new SessionError('DENIED', 'thanks');
      });
    });
    const client = component({}, async (env) => {
      const before = await quotaOf(env);
      for (let round = 0; round < 3; round++) await env.connect(Store, { ram: 10 * MIB }).catch(() => {});
      await env.log(missing(before, await quotaOf(env)));
      const { ram } = await quotaOf(env);
      const why = await env.connect(Store, { ram }).catch((error: unknown) => error);
      await env.log(`then ${hasCode(why, 'OUT_OF_RAM')}`);
      env.exit(0);
    });
    const { lines } = await runSystem(kind, { greedy, client }, server('greedy') + CLIENT);
    const lost = 3 * (10 * MIB + Store.cost.ram) - 3 * (4 * MIB);
    const line = lines.find((candidate) => candidate.startsWith('[init -> client] missing'));
    // The server can pay back from its own 4 MiB as long as it has any.
    expect(Number(/missing (\d+) bytes/.exec(line ?? '')?.[1])).toBeGreaterThanOrEqual(lost);
    expect(lines).toContain('[init -> client] then true');
    expect(lines.filter((candidate) => candidate.includes('keeps'))).toEqual([
      expect.stringMatching(
        /^\[init\] Warning: child "greedy" keeps \d+ bytes and 0 caps of a session that it has refused$/,
      ),
    ]);
  });

  test('a session closed at the very end of its server loses nothing', async () => {
    const mortal = component({ provides: [Store] }, (env) => env.provide(Store, () => KEEP));
    const closing = donor(async (env, store) => {
      system.platform.crash('init -> mortal');
      await env.close(store);
    });
    const system = startSystem(kind, { mortal, client: closing }, server('mortal') + CLIENT);
    const { lines, end } = await finish(system);
    expect(end).toEqual({ kind: 'exit', code: 0 });
    expect(lines).toContain('[init -> client] missing 0 bytes, 0 caps');
  });

  test('a server that has too much to do to close a session is asked again', async () => {
    let asked = 0;
    const busy = component({ provides: [Store] }, (env) => {
      const object = env.capability(Store, KEEP);
      provideByRoot(env, Store, {
        session: () => someSession(object, 'store'),
        upgrade: () => {},
        close: () => {
          if (++asked < 3) throw new RpcError('LimitExceeded', 'not now');
        },
      });
    });
    const client = donor((env, store) => env.close(store).then(() => {}));
    const { lines } = await runSystem(kind, { busy, client }, server('busy') + CLIENT);
    expect(lines).toContain('[init -> client] missing 0 bytes, 0 caps');
    expect(asked).toBe(3);
    expect(lines.join('\n')).not.toContain('fails to close');
  });

  test('a client that fills the table of its requests is refused, and no other client is', async () => {
    let answerAll = (): void => {};
    const answered = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    const slow = component({ provides: [Store] }, (env) => {
      const object = env.capability(Store, KEEP);
      provideByRoot(env, Store, {
        session: () => someSession(object, 'store'),
        upgrade: () => answered,
        close: () => {},
      });
    });
    const EXCESS = 10;
    // The server must not wait for its turn with calls, so it calls the parent directly.
    const greedy = component({ provides: [Greed] }, (env) => {
      const begin = async (): Promise<void> => {
        const parent = parentOf(env);
        const asked = { id: 1000, service: 'Store', label: '', args: {}, ...Store.cost };
        await parent.session(asked);
        const upgrades = Array.from({ length: LIMITS.sessionRequestsPerClient + EXCESS }, () =>
          parent.upgrade(1000, 0, 0),
        );
        for (const why of await Promise.all(upgrades.slice(-EXCESS)))
          await env.log(why?.message ?? 'granted');
        const { refused } = await parent.session({ ...asked, id: 1001 });
        await env.log(`another session: ${refused?.code}`);
        const first = upgrades[0];
        await env.log(`the first: ${await Promise.race([first, 'under way'])}`);
      };
      env.provide(Greed, () => ({ begin }));
    });
    const other = component({}, async (env) => {
      const greed = await env.connect(Greed);
      await greed.begin();
      await env.close(await env.connect(Store));
      await env.log('served');
      answerAll();
      env.exit(0);
    });
    const unwatch = watchParents();
    const provides = '<provides> <service name="Greed"/> </provides>';
    const { lines } = await runSystem(
      kind,
      { slow, greedy, other },
      `${server('slow')} <start name="greedy"> ${provides} </start>
       <start name="other"> <exit propagate="yes"/> </start>`,
    );
    unwatch();
    const refused = `[init -> greedy] ${LIMITS.sessionRequestsPerClient} session requests of this client are under way`;
    expect(lines.filter((line) => line === refused)).toHaveLength(EXCESS);
    expect(lines).toContain('[init -> greedy] another session: DENIED');
    expect(lines).toContain('[init -> greedy] the first: under way');
    expect(lines).toContain('[init -> other] served');
  });

  test('a client whose server dies while a session is opened or upgraded loses nothing', async () => {
    let opened = 0;
    const mortal = component({ provides: [Store] }, (env) => {
      const object = env.capability(Store, KEEP);
      provideByRoot(env, Store, {
        session: () => {
          if (opened++ > 0) system.platform.crash('init -> mortal');
          return someSession(object, 'store');
        },
        upgrade: () => {
          system.platform.crash('init -> mortal');
        },
        close: () => {},
      });
    });
    const client = component({}, async (env) => {
      const before = await quotaOf(env);
      const store = await env.connect(Store, { ram: 10 * MIB });
      const upgrade = await env.upgrade(store, { ram: 20 * MIB, caps: 5 }).catch((error: unknown) => error);
      await env.log(`upgrade ${String(upgrade)}`);
      await env.log(missing(before, await quotaAgain(env, before)));
      const second = await env.connect(Store, { ram: 10 * MIB }).catch((error: unknown) => error);
      await env.log(`second ${String(second)}`);
      await env.log(missing(before, await quotaAgain(env, before)));
      env.exit(0);
    });
    const restarted = server('mortal').replace('</start>', '<restart max="9"/> </start>');
    const system = startSystem(kind, { mortal, client }, restarted + CLIENT);
    const { lines } = await finish(system);
    expect(lines.join('\n')).toContain('upgrade SessionError: server "mortal" is gone');
    expect(lines.join('\n')).toMatch(/second SessionError: .*server "mortal" is (gone|not running)/);
    const said = lines.filter((line) => line.includes('client] missing'));
    expect(said).toEqual(Array.from({ length: 2 }, () => '[init -> client] missing 0 bytes, 0 caps'));
  });

  test.each(['session', 'upgrade', 'close'] as const)(
    'a client loses nothing when its server closes its channel at a "%s" before its end is known, with all its memory in use',
    async (step) => {
      const mortal = component({ provides: [Store] }, (env) => {
        const object = env.capability(Store, KEEP);
        const die = async (at: string): Promise<void> => {
          if (at !== step) return;
          const { ramQuota, ramUsed } = await env.quota();
          await env.pd.allocate({ ram: ramQuota - ramUsed, caps: 1 });
          system.platform.crashUnheard('init -> mortal', 50);
        };
        provideByRoot(env, Store, {
          session: async () => {
            await die('session');
            return someSession(object, 'store');
          },
          upgrade: () => die('upgrade'),
          close: () => die('close'),
        });
      });
      const client = component({}, async (env) => {
        const before = await quotaOf(env);
        const store = await env.connect(Store, { ram: 10 * MIB }).catch(() => undefined);
        if (store) {
          await env.upgrade(store, { ram: 20 * MIB, caps: 5 }).catch(() => {});
          await env.close(store);
        }
        await env.log(missing(before, await quotaAgain(env, before)));
        env.exit(0);
      });
      const system = startSystem(kind, { mortal, client }, server('mortal') + CLIENT);
      const { lines } = await finish(system);
      expect(lines).toContain('[init -> client] missing 0 bytes, 0 caps');
      expect(lines.join('\n')).not.toContain('keeps');
      // The supervisor reports how the component ended; that its channel was closed is a
      // consequence.
      expect(lines.join('\n')).not.toContain('is lost');
    },
  );

  test('a session number that is in use is refused before anything else, whatever the service', async () => {
    const unwatch = watchParents();
    let opened = 0;
    const store = component({ provides: [Store] }, (env) => {
      env.provide(Store, async () => {
        opened++;
        await env.timer.sleep(50);
        return KEEP;
      });
    });
    const client = component({}, async (env) => {
      const before = await quotaOf(env);
      const parent = parentOf(env);
      const ask = async (id: number, service: string, label: string): Promise<string> => {
        const { refused } = await parent.session({ id, service, label, args: {}, ram: MIB, caps: 5 });
        return refused ? `${refused.code} ${refused.message}` : 'open';
      };
      const names = [
        ['Store', ''],
        ['ROM', 'config'],
        ['LOG', ''],
      ] as const;
      for (const [index, [service, label]] of names.entries()) {
        const id = 1000 + index;
        // The second session is asked for while the first is still being opened, the others when it
        // is open.
        const first = [ask(id, service, label), ask(id, service, label)];
        await env.log(`${service} ${(await Promise.all(first)).join(', ')}`);
        for (const [other, otherLabel] of names) {
          await env.log(`${service} then ${other} ${await ask(id, other, otherLabel)}`);
        }
        await env.log(`${service} then nothing ${await ask(id, 'Nothing', '')}`);
      }
      for (const id of [1000, 1001, 1002]) await parent.close(id);
      await env.log(missing(before, await quotaAgain(env, before)));
      env.exit(0);
    });
    const { lines } = await runSystem(kind, { store, client }, server('store') + CLIENT);
    unwatch();
    const said = lines.filter((line) => line.includes('client] ') && !line.includes('missing'));
    const expected = ['Store', 'ROM', 'LOG'].flatMap((service, index) => {
      const refused = `DENIED session ${1000 + index} exists`;
      const others = ['Store', 'ROM', 'LOG', 'nothing'].map((other) => `${service} then ${other} ${refused}`);
      return [`${service} open, ${refused}`, ...others].map((line) => `[init -> client] ${line}`);
    });
    expect(said).toEqual(expected);
    expect(opened).toBe(1);
    expect(lines).toContain('[init -> client] missing 0 bytes, 0 caps');
  });

  test('sessions of a child’s config are paid for by the child, whatever their numbers', async () => {
    const unwatch = watchParents();
    const client = component({}, async (env) => {
      const parent = parentOf(env);
      let open = 0;
      for (let id = 1000; id < 1400; id++) {
        const asked = { id, service: 'ROM', label: 'config', args: {} };
        if ((await parent.session({ ...asked, ram: 0, caps: 0 })).session) open += 1000;
        if ((await parent.session({ ...asked, ...Rom.cost })).session) open++;
      }
      await env.log(`${open > 10 && open < 200}`);
      env.exit(0);
    });
    const { lines } = await runSystem(kind, { client }, CLIENT);
    unwatch();
    expect(lines).toContain('[init -> client] true');
  });

  test('a server that takes nothing for a session cannot help its client to fill init’s table', async () => {
    const generous = component({ provides: [Store] }, (env) => {
      const object = env.capability(Store, KEEP);
      provideByRoot(env, Store, {
        session: () => someSession(object, 'store'),
        upgrade: () => {},
        close: () => {},
      });
    });
    const unwatch = watchParents();
    const client = component({}, async (env) => {
      const parent = parentOf(env);
      const codes = new Set<string>();
      let open = 0;
      for (let id = 1000; id < 1400; id++) {
        const { session: opened, refused } = await parent.session({
          id,
          service: 'Store',
          label: 'x',
          args: {},
          ram: id % 2 === 0 ? 0 : 4096,
          caps: 0,
        });
        if (opened) open++;
        else if (refused) codes.add(refused.code);
      }
      await env.log(`${open} open, ${[...codes].toSorted().join(' ')}`);
      env.exit(0);
    });
    const { lines } = await runSystem(kind, { generous, client }, server('generous') + CLIENT);
    unwatch();
    expect(lines).toContain('[init -> client] 0 open, INSUFFICIENT_CAPS INSUFFICIENT_RAM');
  });

  test('init does not pay for quota that a server has given away before it died', async () => {
    const hoarder = component({ provides: [Store] }, (env) => {
      env.provide(Store, async ({ donation }) => {
        await env.pd.allocate({ ram: donation.ram, caps: 1 });
        return KEEP;
      });
    });
    const mortal = component({ provides: [Store] }, (env) => {
      env.provide(Store, async () => {
        await env.connect(Store, { ram: 45 * MIB });
        return KEEP;
      });
    });
    const client = component({}, async (env) => {
      const before = await quotaOf(env);
      const store = await env.connect(Store, { ram: 50 * MIB, caps: 10 });
      system.platform.crash('init -> mortal');
      await env.close(store);
      await env.log(missing(before, await quotaOf(env)));
      env.exit(0);
    });
    const to = (name: string): string =>
      `<route> <service name="Store"> <child name="${name}"/> </service> <any-service> <parent/> </any-service> </route>`;
    const starting =
      server('hoarder') +
      server('mortal').replace('</start>', `${to('hoarder')} </start>`) +
      CLIENT.replace('</start>', `${to('mortal')} </start>`);
    const system = startSystem(kind, { hoarder, mortal, client }, starting);
    const { lines } = await finish(system);
    const line = lines.find((candidate) => candidate.startsWith('[init -> client] missing'));
    // Only the 4 MiB that each of the two servers had of its own can come back.
    expect(Number(/missing (\d+) bytes/.exec(line ?? '')?.[1])).toBeGreaterThan(36 * MIB);
    expect(lines.join('\n')).toContain('[init] Warning: child "hoarder" keeps');
  });

  test('a server that ends its own account is ended, and its clients have their donations back', async () => {
    const suicidal = component({ provides: [Store] }, (env) => {
      env.provide(Store, () => ({
        keep: async () => {
          await env.pd.end();
        },
      }));
    });
    const client = component({}, async (env) => {
      const before = await quotaOf(env);
      const store = await env.connect(Store, { ram: 50 * MIB, caps: 10 });
      await store.keep('what you have').catch(() => {});
      await env.close(store);
      await env.log(missing(before, await quotaAgain(env, before)));
      env.exit(0);
    });
    const { lines, complaints } = await runSystem(kind, { suicidal, client }, server('suicidal') + CLIENT);
    expect(lines).toContain('[init -> client] missing 0 bytes, 0 caps');
    const told = [...lines, ...complaints].filter((line) => line.includes('suicidal'));
    expect(told).toEqual(['[init] Error: child "suicidal" has ended its own account, and itself with it']);
  });

  test.each([
    ['<exit propagate="yes"/>', []],
    [
      '<exit propagate="yes"/> <restart max="2"/>',
      [
        '[init] Warning: child "suicidal" is started again (1 of 2 in 60 s)',
        '[init] Warning: child "suicidal" is started again (2 of 2 in 60 s)',
        '[init] Error: child "suicidal" has crashed too often and stays down',
      ],
    ],
  ])(
    'the reason is reported, once each time, when a child with %s has ended its account',
    async (more, rest) => {
      const suicidal = component({}, async (env) => {
        await env.timer.sleep(20);
        await env.pd.end();
      });
      const start = `<start name="suicidal"> ${more} </start>`;
      const { end, lines, complaints } = await runSystem(kind, { suicidal }, start);
      expect(end).toEqual({ kind: 'exit', code: 1 });
      const reason = '[init] Error: child "suicidal" has ended its own account, and itself with it';
      const [again, last] = [rest.slice(0, -1), rest.slice(-1)];
      expect([...lines, ...complaints].filter((line) => line.startsWith('[init] '))).toEqual([
        ...again.flatMap((line) => [reason, line]),
        reason,
        ...last,
      ]);
    },
  );

  test('a child that ends its own account is restarted, also if no other child uses it', async () => {
    let starts = 0;
    const suicidal = component({}, async (env) => {
      starts++;
      if (starts === 1) await env.pd.end();
      await env.log(`start ${starts}`);
      env.exit(0);
    });
    const start = CLIENT.replace('"client"', '"suicidal"').replace('</start>', '<restart max="3"/> </start>');
    const { end, lines } = await runSystem(kind, { suicidal }, start);
    expect(end).toEqual({ kind: 'exit', code: 0 });
    expect(lines).toContain('[init -> suicidal] start 2');
  });

  test('a child that has exited is not restarted, whatever happens to it afterwards', async () => {
    let starts = 0;
    const slow = component({ provides: [Store] }, (env) => {
      env.provide(Store, () => ({ ...KEEP, [Symbol.asyncDispose]: () => env.timer.sleep(300) }));
    });
    const leaver = component({ provides: [Store] }, async (env) => {
      starts++;
      await env.connect(Store);
      env.provide(Store, () => ({ keep: () => env.exit(0) }));
    });
    const client = component({}, async (env) => {
      const store = await env.connect(Store);
      await store.keep('leave').catch(() => {});
      // The end is held up by the session that the component has open itself.
      await env.timer.sleep(50);
      system.platform.crash('init -> leaver');
      await env.close(store);
      await env.timer.sleep(500);
      await env.log(`${starts} start`);
      env.exit(0);
    });
    const to = (child: string): string =>
      `<route> <service name="Store"> <child name="${child}"/> </service> <any-service> <parent/> </any-service> </route>`;
    const starting =
      server('slow') +
      server('leaver').replace('</start>', `${to('slow')} <restart max="3"/> </start>`) +
      CLIENT.replace('</start>', `${to('leaver')} </start>`);
    const system = startSystem(kind, { slow, leaver, client }, starting);
    const { lines } = await finish(system);
    expect(lines).toContain('[init -> client] 1 start');
    expect(lines).toContain('[init] child "leaver" exited with exit value 0');
  });

  test('a server that never closes is ended and named; others are stopped, and crashed clients restarted', async () => {
    let starts = 0;
    const stuck = component({ provides: [Store] }, (env) => {
      env.provide(Store, () => ({ ...KEEP, [Symbol.asyncDispose]: () => new Promise<void>(() => {}) }));
    });
    const client = component({}, async (env) => {
      starts++;
      await env.connect(Store, { ram: MIB });
      if (starts === 1) system.platform.crash('init -> client');
      await env.log(`start ${starts}`);
      if (starts === 2) env.exit(0);
    });
    const bystander = component({}, (env) => env.onStop(() => env.log('in order')));
    const starting =
      `${server('stuck', 'step_bound_ms="700"')} <start name="bystander"/>` +
      '<start name="client" ram="20M"> <exit propagate="yes"/> <restart max="3"/> </start>';
    const system = startSystem(kind, { stuck, client, bystander }, starting);
    const { end, lines } = await finish(system);
    expect(end).toEqual({ kind: 'exit', code: 0 });
    expect(lines).toContain('[init -> client] start 2');
    expect(lines).toContain('[init -> bystander] in order');
    expect(lines).toContain(
      '[init] Error: "stuck" has yet to close a "Store" session of "client", and gets nothing done: it is ended',
    );
  });

  test('an honest mediator is not ended for a backend that never closes', async () => {
    const stuck = component({ provides: [Store] }, (env) => {
      env.provide(Store, () => ({ ...KEEP, [Symbol.asyncDispose]: () => new Promise<void>(() => {}) }));
    });
    const mediator = component({ provides: [Store] }, (env) => {
      env.provide(Store, ({ donation }) => env.request(Store, { donation }));
    });
    const client = component({}, async (env) => {
      const store = await env.connect(Store, { ram: MIB });
      await env.close(store);
      await env.log('closed');
      env.exit(0);
    });
    const to = (child: string): string =>
      `<route> <service name="Store"> <child name="${child}"/> </service> <any-service> <parent/> </any-service> </route>`;
    const starting =
      server('stuck', 'step_bound_ms="1200"') +
      server('mediator', 'step_bound_ms="700"').replace('</start>', `${to('stuck')} </start>`) +
      CLIENT.replace('</start>', `${to('mediator')} </start>`);
    const { end, lines } = await runSystem(kind, { stuck, mediator, client }, starting);
    expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
    expect(lines).toContain('[init -> client] closed');
    const ended = lines.filter((line) => line.includes('it is ended'));
    expect(ended).toEqual([
      expect.stringMatching(/^\[init\] Error: "stuck" has yet to close .* of "mediator"/),
    ]);
  });

  test('a child whose stop handlers never end is ended, too; a loop of timers does not count as progress', async () => {
    const deaf = component({}, (env) => {
      env.onStop(async () => {
        for (;;) await env.timer.sleep(20);
      });
    });
    const client = component({}, async (env) => {
      await env.timer.sleep(50);
      env.exit(7);
    });
    const other = component({}, (env) => env.onStop(() => env.log('in order')));
    const starting = `<start name="deaf" step_bound_ms="700"/> <start name="other"/> ${CLIENT}`;
    const { end, lines } = await runSystem(kind, { deaf, client, other }, starting);
    expect(end).toEqual({ kind: 'exit', code: 7 });
    const said =
      '[init] Error: "deaf" has yet to put its things in order before it is stopped, and gets nothing done: it is ended';
    expect(lines).toContain('[init -> other] in order');
    expect(lines).toContain(said);
    // Components are stopped side by side: none waits for another one that it has nothing to do
    // with.
    expect(lines.indexOf('[init -> other] in order')).toBeLessThan(lines.indexOf(said));
  });

  test('a child that makes progress is waited for, up to a ceiling', async () => {
    const store = component({ provides: [Store] }, (env) => env.provide(Store, () => KEEP));
    const writer = component({}, async (env) => {
      const session_ = await env.connect(Store);
      env.onStop(async () => {
        for (let round = 0; round < 30; round++) {
          await session_.keep('more');
          await env.timer.sleep(50);
        }
        await env.log('all written');
      });
    });
    const endless = component({}, async (env) => {
      const session_ = await env.connect(Store);
      env.onStop(async () => {
        for (;;) {
          await session_.keep('more');
          await env.timer.sleep(50);
        }
      });
    });
    const client = component({}, async (env) => {
      await env.timer.sleep(100);
      env.exit(0);
    });
    const starting = `${server('store')} <start name="writer" step_bound_ms="700"/>
      <start name="endless" step_bound_ms="700" step_ceiling_ms="2600"/> ${CLIENT}`;
    const { lines } = await runSystem(kind, { store, writer, endless, client }, starting);
    expect(lines).toContain('[init -> writer] all written');
    expect(lines).toContain(
      '[init] Error: "endless" has yet to put its things in order before it is stopped, and takes too long: it is ended',
    );
  });

  test('a server that offers nothing, or never answers, is named; its client may give up', async () => {
    const silent = component({ provides: [Store] }, () => {});
    const slow = component({ provides: [Store] }, (env) => {
      env.provide(Store, () => new Promise(() => {}));
    });
    const late = component({ provides: [Store] }, (env) => {
      env.provide(Store, async () => {
        await env.timer.sleep(400);
        return { ...KEEP, [Symbol.dispose]: () => void env.log('closed') };
      });
    });
    const client = component({}, async (env) => {
      const before = await quotaOf(env);
      const ask = (label: string, options: object): Promise<unknown> =>
        env.connect(Store, { label, ram: 10 * MIB, ...options }).catch((error: unknown) => error);
      await env.log(`late ${String(await ask('late', { timeoutMs: 100 }))}`);
      await env.log(missing(before, await quotaAgain(env, before)));
      await env.log(`silent ${String(await ask('silent', { timeoutMs: 3000 }))}`);
      await env.log(missing(before, await quotaAgain(env, before)));
      const giveUp = new AbortController();
      env.timer.after(3000, () => giveUp.abort(new Error('enough')));
      await env.log(`slow ${String(await ask('slow', { signal: giveUp.signal }))}`);
      env.exit(0);
    });
    const routes = ['late', 'silent', 'slow']
      .map((name) => `<service name="Store" label="${name}"> <child name="${name}"/> </service>`)
      .join('');
    const asking = `<start name="client" ram="100M" caps="200"> <exit propagate="yes"/>
      <route> ${routes} <any-service> <parent/> </any-service> </route> </start>`;
    const servers = server('late') + server('silent') + server('slow');
    const { lines } = await runSystem(kind, { silent, slow, late, client }, servers + asking);
    const text_ = lines.join('\n');
    expect(text_).toContain('late RpcError: Store session "late": not open after 100 ms');
    expect(text_).toContain('silent RpcError: Store session "silent": not open after 3000 ms');
    expect(text_).toContain('slow Error: enough');
    expect(lines.filter((line) => line.includes('missing'))).toEqual(
      Array.from({ length: 2 }, () => '[init -> client] missing 0 bytes, 0 caps'),
    );
    expect(lines).toContain('[init -> late] closed');
    expect(lines).toContain(
      '[init] Warning: "client" waits for "silent", which has not offered its service "Store" yet',
    );
    expect(lines).toContain(
      '[init] Warning: "client" waits for "slow" to answer its request for a "Store" session',
    );
  });
});

describe('inits within inits', () => {
  const inner = (starts: string): string => `<config>
    <parent-provides>
      <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
    </parent-provides>
    <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
    <default caps="100" ram="4M"/> ${starts} </config>`;
  const nested = (name: string, ram: string, starts: string, more = '', caps = 1000): string =>
    `<start name="${name}" ram="${ram}" caps="${caps}"> <binary name="init"/> ${more} ${inner(starts)} </start>`;

  test('whichever component dies first, all quota is back at the nearest one that lives', async () => {
    const leaves: number[] = [];
    const leaf = component({}, async (env) => {
      leaves.push(1);
      await env.log(`leaf ${leaves.length}`);
    });
    const client = component({}, async (env) => {
      for (let round = 1; round <= 3; round++) {
        while (leaves.length < round) await env.timer.sleep(5);
        system.platform.crash('init -> mid');
      }
      while (leaves.length < 4) await env.timer.sleep(5);
      env.exit(0);
    });
    // The child needs half of all the quota, so the next one needs what this one leaves behind.
    const tree = nested('inner', '500M', '<start name="leaf" ram="300M"/>');
    const mid = nested('mid', '700M', tree, '<restart max="9"/>', 6000);
    const system = startSystem('shared', { leaf, client }, mid + CLIENT);
    const { end, lines } = await finish(system);
    expect(end).toEqual({ kind: 'exit', code: 0 });
    expect(lines.join('\n')).not.toContain('cannot be started');
  });

  test('quota that is kept at one end is missing at the other, and nowhere in between', async () => {
    const greedy = component({ provides: [Store] }, (env) => {
      env.provide(Store, async ({ donation }) => {
        const { ramQuota, ramUsed } = await env.quota();
        await env.pd.allocate({ ram: ramQuota - ramUsed - donation.ram, caps: 1 }).catch(() => {});
        await env.pd.allocate({ ram: donation.ram, caps: 1 });
        throw new SessionError('DENIED', 'thanks');
      });
    });
    const leaf = component({}, async (env) => {
      const before = await quotaOf(env);
      for (let round = 0; round < 3; round++) await env.connect(Store, { ram: 10 * MIB }).catch(() => {});
      await env.log(missing(before, await quotaOf(env)));
      env.exit(0);
    });
    const starts = `${server('greedy')} ${nested(
      'mid',
      '80M',
      '<start name="leaf" ram="60M"> <exit propagate="yes"/> </start>',
      '<exit propagate="yes"/>',
    ).replace('<service name="Timer"/>', '<service name="Timer"/> <service name="Store"/>')}`;
    const { lines } = await runSystem('shared', { greedy, leaf }, starts);
    expect(lines).toContain(`[init -> mid -> leaf] missing ${3 * (10 * MIB + Store.cost.ram)} bytes, 0 caps`);
  });

  test('an init whose child does not stop is not ended before the child', async () => {
    const deaf = component({}, (env) => env.onStop(() => new Promise(() => {})));
    const other = component({}, (env) => env.onStop(() => env.log('in order')));
    const client = component({}, async (env) => {
      await env.timer.sleep(200);
      env.exit(0);
    });
    const mid = nested(
      'mid',
      '20M',
      '<start name="deaf" step_bound_ms="700"/> <start name="other"/>',
    ).replace('<start name="mid"', '<start name="mid" step_bound_ms="700"');
    const { lines } = await runSystem('shared', { deaf, other, client }, mid + CLIENT);
    expect(lines.join('\n')).toMatch(/\[init -> mid\] Error: "deaf" has yet to .* it is ended/);
    expect(lines).toContain('[init -> mid -> other] in order');
    expect(lines.join('\n')).not.toMatch(/\[init\] Error: "mid"/);
  });
});
