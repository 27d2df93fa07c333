/**
 * Tests that quota is conserved when sessions end badly: what a client has donated comes back, or
 * is missing where it was kept, and nobody else pays.
 */
import { component, type Env, hasCode, RpcError, SessionError } from '@ginit/core';
import { someSession } from '@ginit/core/system';
import { describe, expect, test } from 'vitest';
import { provideByRoot } from '../harness/hostile-parts.ts';
import { type CarrierKind, finish, runSystem, startSystem } from '../harness/in-process-system.ts';
import { allLongIf } from '../harness/long.ts';
import {
  CLIENT,
  KEEP,
  MIB,
  missing,
  nested,
  quotaAgain,
  quotaOf,
  server,
  Store,
  storeAt,
} from '../harness/store-system.ts';

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

describe.each<CarrierKind>(['shared', 'copying', 'bus'])('over a carrier that is %s', (kind) => {
  allLongIf(kind === 'bus');
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
    const starting =
      server('hoarder') +
      server('mortal').replace('</start>', `${storeAt('hoarder')} </start>`) +
      CLIENT.replace('</start>', `${storeAt('mortal')} </start>`);
    const system = startSystem(kind, { hoarder, mortal, client }, starting);
    const { lines } = await finish(system);
    const line = lines.find((candidate) => candidate.startsWith('[init -> client] missing'));
    // Only the 4 MiB that each of the two servers had of its own can come back.
    expect(Number(/missing (\d+) bytes/.exec(line ?? '')?.[1])).toBeGreaterThan(36 * MIB);
    expect(lines.join('\n')).toContain('[init] Warning: child "hoarder" keeps');
  });
});

describe('inits within inits', () => {
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
});
