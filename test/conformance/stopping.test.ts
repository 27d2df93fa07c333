/**
 * Tests components that are being stopped: a failure because a peer has closed its session already
 * is no crash, and any other failure is.
 */
import { component, nothing, rpc, SessionError, session, text } from '@ginit/core';
import { describe, expect, test } from 'vitest';
import { type CarrierKind, finish, startSystem } from '../harness/in-process-system.ts';
import { allLongIf } from '../harness/long.ts';

const Store = session('Store', {
  keep: rpc<(words: string) => void>({ args: [text()], result: nothing }),
});

const Slow = session('Slow', {
  keep: rpc<(words: string) => void>({ args: [text()], result: nothing }),
});

const server = (name: string, service = 'Store'): string =>
  `<start name="${name}" ram="4M" caps="100"> <provides> <service name="${service}"/> </provides> </start>`;

describe.each<CarrierKind>(['shared', 'copying', 'bus'])('over a carrier that is %s', (kind) => {
  allLongIf(kind === 'bus');
  test('a component that fails because its sessions end while it is being stopped has not crashed', async () => {
    let waiting = 0;
    let begun = (): void => {};
    const both = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const another = (): void => {
      if (++waiting === 2) begun();
    };
    const quick = component({ provides: [Store] }, (env) => {
      env.provide(Store, () => ({ keep: () => env.timer.sleep(1) }));
    });
    const never = component({ provides: [Store] }, (env) => {
      env.provide(Store, () => {
        another();
        return new Promise<never>(() => {});
      });
    });
    // While it closes its sessions, its clients are still there.
    const slow = component({ provides: [Slow] }, (env) => {
      env.provide(Slow, () => ({ keep: () => {}, [Symbol.asyncDispose]: () => env.timer.sleep(200) }));
    });
    let stopped = 0;
    const using = component({}, async (env) => {
      env.onStop(() => void stopped++);
      await env.connect(Slow);
      const store = await env.connect(Store);
      another();
      for (;;) await store.keep('more');
    });
    const opening = component({}, async (env) => {
      env.onStop(() => void stopped++);
      await env.connect(Slow);
      await env.connect(Store);
    });
    const busy = component({}, async (env) => {
      // Handlers run from the last to the first.
      env.onStop(async () => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        stopped++;
      });
      await new Promise<void>((resolve) => env.onStop(resolve));
      await env.connect(Store);
    });
    const denying = component({ provides: [Store] }, (env) => {
      env.provide(Store, () => {
        throw new SessionError('DENIED', 'too late');
      });
    });
    const at = (name: string, where: string): string =>
      `<start name="${name}"> <route> <service name="Store"> <child name="${where}"/> </service>
       <any-service> <parent/> <any-child/> </any-service> </route> </start>`;
    const system = startSystem(
      kind,
      { quick, never, slow, denying, using, opening, busy },
      server('quick') +
        server('never') +
        server('slow', 'Slow') +
        server('denying') +
        at('busy', 'denying') +
        at('using', 'quick') +
        at('opening', 'never'),
    );
    await both;
    system.supervisor.end({ kind: 'exit', code: 0 });
    const { complaints } = await finish(system);
    expect(complaints).toEqual([]);
    expect(stopped).toBe(3);
  });

  test('a main function that fails in this way without being stopped has crashed, and so has one that fails otherwise', async () => {
    const mortal = component({ provides: [Store] }, (env) => {
      env.provide(Store, () => ({
        keep: (words) => {
          if (words === 'die') env.timer.after(0, () => system.platform.crash('init -> mortal'));
        },
      }));
    });
    const client = component({}, async (env) => {
      const store = await env.connect(Store);
      await store.keep('die');
      for (;;) await store.keep('more');
    });
    const clumsy = component({}, async (env) => {
      const stopped = new Promise<void>((resolve) => env.onStop(resolve));
      env.onStop(() => new Promise((resolve) => setTimeout(resolve, 200)));
      await stopped;
      throw new TypeError('on purpose');
    });
    const system = startSystem(
      kind,
      { mortal, client, clumsy },
      `${server('mortal')} <start name="client"/> <start name="clumsy"/>`,
    );
    const said = (words: string): boolean => system.platform.complaints.some((line) => line.includes(words));
    while (!said('[init -> client] crashed')) await new Promise((resolve) => setTimeout(resolve, 5));
    system.supervisor.end({ kind: 'exit', code: 0 });
    const { complaints } = await finish(system);
    expect(complaints.join('\n')).toMatch(/\[init -> client\] crashed: .*PeerGone/);
    expect(complaints.join('\n')).toContain('[init -> clumsy] crashed');
  });
});
