/**
 * Tests that a client cannot take more of init's tables than it pays for, with whatever requests.
 */
import { component, nothing, Rom, rpc, session } from '@ginit/core';
import { LIMITS, someSession } from '@ginit/core/system';
import { describe, expect, test } from 'vitest';
import { parentOf, provideByRoot, watchParents } from '../harness/hostile-parts.ts';
import { type CarrierKind, runSystem } from '../harness/in-process-system.ts';
import { allLongIf } from '../harness/long.ts';
import { CLIENT, KEEP, MIB, missing, quotaAgain, quotaOf, server, Store } from '../harness/store-system.ts';

const Greed = session('Greed', { begin: rpc<() => void>({ args: [], result: nothing }) });

describe.each<CarrierKind>(['shared', 'copying', 'bus'])('over a carrier that is %s', (kind) => {
  allLongIf(kind === 'bus');
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
});
