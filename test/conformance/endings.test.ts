/**
 * Tests children that end badly, or do not come to an end: nothing hangs, whoever holds up others
 * is named, and restarted as its start node says.
 */
import { component } from '@ginit/core';
import { describe, expect, test } from 'vitest';
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

describe.each<CarrierKind>(['shared', 'copying', 'bus'])('over a carrier that is %s', (kind) => {
  allLongIf(kind === 'bus');
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
    const starting =
      server('slow') +
      server('leaver').replace('</start>', `${storeAt('slow')} <restart max="3"/> </start>`) +
      CLIENT.replace('</start>', `${storeAt('leaver')} </start>`);
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
    const starting =
      server('stuck', 'step_bound_ms="1200"') +
      server('mediator', 'step_bound_ms="700"').replace('</start>', `${storeAt('stuck')} </start>`) +
      CLIENT.replace('</start>', `${storeAt('mediator')} </start>`);
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
