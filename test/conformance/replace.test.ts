/**
 * Tests `replace="ready"`: the instance that takes a child's place is started first, and the child
 * goes on until that is complete. Children are counted by their numbers, and the books are compared
 * with the supervisor's accounts.
 */
import { isDeepStrictEqual } from 'node:util';
import { component, type Env, hasCode, rpc, type Session, session, text } from '@ginit/core';
import { deferred } from '@ginit/core/async';
import { expect, test } from 'vitest';
import { type Laboratory, laboratory, nestedInit } from '../harness/laboratory.ts';

const Store = session('Store', {
  read: rpc<() => string>({ args: [], result: text() }),
  slow: rpc<() => string>({ args: [], result: text() }),
});

/** What happened, in order. A server is named by its tag and the version of its config. */
function cast() {
  const events: string[] = [];
  const clients = new Map<string, { session: Session<typeof Store>; connects: number }>();
  const gates = {
    announce: Promise.resolve(),
    slow: deferred<void>(),
    handed: Promise.resolve(),
    /** The server that trips, and how often it still does. */
    trips: { by: '', times: 0 },
  };
  const valueOf = (env: Env, name: string): string => env.config.node.value(name) ?? '';
  const server = component({ provides: [Store] }, async (env) => {
    const me = `a${valueOf(env, 'v')}`;
    events.push(`${me} begins`);
    env.onStop(() => void events.push(`${me} stops`));
    if (valueOf(env, 'trips') !== '') throw new Error('over my own feet');
    if (me === gates.trips.by && gates.trips.times-- > 0) throw new Error('over my own feet');
    if (valueOf(env, 'late') !== '') await gates.announce;
    env.provide(Store, ({ label }) => ({
      read: () => `${me} ${label}`,
      slow: async () => {
        await gates.slow.promise;
        return `${me} slowly`;
      },
      [Symbol.dispose]: () => void events.push(`${me} closes ${label}`),
    }));
    events.push(`${me} announces`);
  });
  const makeClient = (faithful: boolean) =>
    component({}, async (env) => {
      const name = valueOf(env, 'name');
      env.onStop(() => void events.push(`${name} stops`));
      const own = await env.connect(Store, {
        label: 'x',
        ...(faithful && {
          onReattach: async (next) => {
            const known = clients.get(name);
            if (known) known.session = next;
            await gates.handed;
            events.push(`${name} reads ${await next.read()}`);
          },
        }),
      });
      clients.set(name, { session: own, connects: (clients.get(name)?.connects ?? 0) + 1 });
      events.push(`${name} reads ${await own.read()}`);
    });
  return {
    events,
    clients,
    gates,
    components: { server, client: makeClient(true), plain: makeClient(false) },
  };
}

const server = (version: string, config = '', attributes = 'replace="ready"', inner = '') =>
  `<start name="a" version="${version}" ${attributes}> <binary name="server"/>
    <provides> <service name="Store"/> </provides> <config v="${version}" ${config}/> ${inner} </start>`;
const client = (name: string, attributes = 'reattach="yes"', binary = 'client') =>
  `<start name="${name}" ${attributes}> <binary name="${binary}"/> <config name="${name}"/>
    <route> <service name="Store"> <child name="a"/> </service>
      <any-service> <parent/> </any-service> </route> </start>`;

/** Runs a script with a fresh cast. */
const run = async (script: (it: Laboratory & ReturnType<typeof cast>) => Promise<void>) => {
  const actors = cast();
  return laboratory(actors.components, (it) => script({ ...it, ...actors }));
};

test('the new instance begins first, clients are moved when it is complete, calls that were made end, then the old one stops', async () => {
  await run(async ({ apply, clients, conserved, events, gates, quota, sandbox, shows, until }) => {
    await apply(server('1') + client('c'));
    await until(() => events.includes('c reads a1 c -> x'));
    const before = quota('a');
    const announce = deferred<void>();
    gates.announce = announce.promise;
    const applied = apply(server('2', 'late="yes"') + client('c'));
    await until(() => events.includes('a2 begins'));
    await shows('a#1 waiting, c#2 running');
    expect(sandbox.state[0]?.why).toBe('its replacement is not ready yet');
    // The old one serves on, and both are in the books.
    expect(await clients.get('c')?.session.read()).toBe('a1 c -> x');
    await conserved();
    await applied;
    const slow = clients.get('c')?.session.slow();
    const handed = deferred<void>();
    gates.handed = handed.promise;
    announce.resolve();
    await until(() => sandbox.state[0]?.id === 3);
    gates.slow.resolve();
    expect(await slow).toBe('a1 slowly');
    handed.resolve();
    await until(() => events.includes('a1 stops'));
    await shows('a#3 running, c#2 running');
    await conserved();
    expect(events.slice(2)).toEqual([
      'c reads a1 c -> x',
      'a2 begins',
      'a2 announces',
      'c reads a2 c -> x',
      'a1 closes c -> x',
      'a1 stops',
    ]);
    // The account of the old instance goes a moment after its `onStop`.
    await until(() => isDeepStrictEqual(quota('a'), before));
    expect(clients.get('c')?.connects).toBe(1);
  });
});

test('clients that take no new session are restarted when the replacement is complete, not before', async () => {
  await run(async ({ apply, conserved, events, gates, shows, until }) => {
    const c = client('c', '', 'plain') + client('d');
    await apply(server('1') + c);
    await until(() => events.includes('c reads a1 c -> x') && events.includes('d reads a1 d -> x'));
    const announce = deferred<void>();
    gates.announce = announce.promise;
    await apply(server('2', 'late="yes"') + c);
    await until(() => events.includes('a2 begins'));
    await shows('a#1 waiting, c#2 running, d#3 running');
    announce.resolve();
    await until(() => events.includes('c reads a2 c -> x') && events.includes('d reads a2 d -> x'));
    await until(() => events.includes('a1 stops'));
    await shows('a#4 running, c#5 running, d#3 running');
    expect(events.indexOf('c stops')).toBeLessThan(events.indexOf('a1 stops'));
    await conserved();
  });
});

test('a restart that somebody asks for is a replacement, too', async () => {
  await run(async ({ apply, conserved, events, sandbox, shows, until }) => {
    await apply(server('1') + client('c'));
    await until(() => events.includes('c reads a1 c -> x'));
    await sandbox.restart('a', 'a test');
    await until(() => events.includes('a1 stops'));
    await shows('a#3 running, c#2 running');
    expect(events.filter((event) => event === 'a1 announces')).toHaveLength(2);
    expect(events.filter((event) => event === 'c reads a1 c -> x')).toHaveLength(2);
    await conserved();
  });
});

test('a replacement that crashes leaves the old one as it is, which says why; the next config tries again', async () => {
  await run(async ({ apply, clients, conserved, events, lines, sandbox, shows, until }) => {
    await apply(server('1') + client('c'));
    await until(() => events.includes('c reads a1 c -> x'));
    await apply(server('2', 'trips="yes"') + client('c'));
    await until(() => sandbox.state[0]?.why?.startsWith('its replacement has failed') === true);
    expect(sandbox.state[0]?.why).toContain('over my own feet');
    await shows('a#1 waiting, c#2 running');
    expect(await clients.get('c')?.session.read()).toBe('a1 c -> x');
    expect(lines('Error: child "a" is not replaced, and goes on')).toHaveLength(1);
    await conserved();
    // Without a <restart> nothing tries again by itself, and going back is no change.
    expect(events.filter((event) => event === 'a2 begins')).toHaveLength(1);
    await apply(server('1') + client('c'));
    await shows('a#1 running, c#2 running');
    await apply(server('2') + client('c'));
    await until(() => events.includes('a1 stops'));
    await shows('a#4 running, c#2 running');
    await conserved();
  });
});

const RESTART = '<restart on="crash" max="3" period_s="60"/>';

test('with a <restart> a replacement that fails is tried again, and clients are moved when one is complete', async () => {
  await run(async ({ apply, clients, conserved, events, gates, lines, shows, until }) => {
    gates.trips = { by: 'a2', times: 3 };
    await apply(server('1') + client('c'));
    await until(() => events.includes('c reads a1 c -> x'));
    await apply(server('2', '', 'replace="ready"', RESTART) + client('c'));
    await until(() => events.includes('a1 stops'));
    expect(events.filter((event) => event === 'a2 begins')).toHaveLength(4);
    expect(lines('Error: child "a" is not replaced, and goes on')).toHaveLength(3);
    await shows('a#6 running, c#2 running');
    expect(await clients.get('c')?.session.read()).toBe('a2 c -> x');
    await conserved();
  });
});

test('there is a bound to that, which the why-phrase tells; a changed start node begins anew', async () => {
  await run(async ({ apply, conserved, events, sandbox, shows, until }) => {
    await apply(server('1') + client('c'));
    await until(() => events.includes('c reads a1 c -> x'));
    await apply(server('2', 'trips="yes"', 'replace="ready"', RESTART) + client('c'));
    await until(() => sandbox.state[0]?.why?.includes('gave up') === true);
    expect(sandbox.state[0]?.why).toMatch(/over my own feet; gave up: 3 failures in 60 s$/);
    expect(events.filter((event) => event === 'a2 begins')).toHaveLength(4);
    await shows('a#1 waiting, c#2 running');
    await conserved();
    await apply(server('3', '', 'replace="ready"', RESTART) + client('c'));
    await until(() => events.includes('a1 stops'));
    await shows('a#7 running, c#2 running');
    await conserved();
  });
});

test('a replacement that somebody asked for is tried again as such; a config that fits the old one ends that', async () => {
  await run(async ({ apply, conserved, events, gates, sandbox, shows, until }) => {
    const first = server('1', '', 'replace="ready"', RESTART) + client('c');
    await apply(first);
    await until(() => events.includes('c reads a1 c -> x'));
    gates.trips = { by: 'a1', times: 2 };
    await sandbox.restart('a', 'a test');
    await until(() => events.includes('a1 stops'));
    await shows('a#5 running, c#2 running');
    await apply(server('2', 'trips="yes"', 'replace="ready"', RESTART) + client('c'));
    await until(() => events.filter((event) => event === 'a2 begins').length === 3);
    await until(() => sandbox.state[0]?.why?.includes('it is tried again (3 of 3 in 60 s)') === true);
    await apply(first);
    await shows('a#5 running, c#2 running');
    expect(sandbox.state[0]?.why).toBeUndefined();
    await conserved();
  });
});

test('a replacement for which there is no quota leaves the old one as it is', async () => {
  await run(async ({ apply, conserved, events, sandbox, shows, until }) => {
    await apply(server('1') + client('c'));
    await until(() => events.includes('c reads a1 c -> x'));
    await apply(server('2', '', 'replace="ready" ram="1G"') + client('c'));
    await until(() => sandbox.state[0]?.why?.startsWith('its replacement has failed') === true);
    expect(sandbox.state[0]?.why).toContain('not enough RAM quota');
    await shows('a#1 waiting, c#2 running');
    await conserved();
  });
});

test('a config that changes meanwhile: another replacement begins, none, or the child goes with its replacement', async () => {
  await run(async ({ apply, conserved, events, gates, shows, until }) => {
    gates.announce = deferred<void>().promise;
    const c = client('c');
    await apply(server('1') + c);
    await until(() => events.includes('c reads a1 c -> x'));
    await apply(server('2', 'late="yes"') + c);
    await until(() => events.includes('a2 begins'));
    // The same again, or a change of somebody else, changes nothing.
    await apply(server('2', 'late="yes"') + c + client('z'));
    await shows('a#1 waiting, c#2 running, z#4 running');
    expect(events.filter((event) => event === 'a2 begins')).toHaveLength(1);
    await apply(server('3', 'late="yes"') + c);
    await until(() => events.includes('a3 begins'));
    await until(() => events.includes('a2 stops'));
    await conserved();
    await apply(server('1') + c);
    await until(() => events.includes('a3 stops'));
    await shows('a#1 running, c#2 running');
    await conserved();
    await apply(server('4', 'late="yes"') + c);
    await until(() => events.includes('a4 begins'));
    await apply('');
    await until(() => events.includes('a4 stops') && events.includes('a1 stops'));
    await shows('');
    await conserved();
  });
});

test('an old instance that crashes while it is being replaced: the new one takes its place at once', async () => {
  await run(async ({ apply, clients, conserved, events, gates, sandbox, shows, until }) => {
    const announce = deferred<void>();
    gates.announce = announce.promise;
    await apply(server('1') + client('c'));
    await until(() => events.includes('c reads a1 c -> x'));
    await apply(server('2', 'late="yes"') + client('c'));
    await until(() => events.includes('a2 begins'));
    const dying = clients.get('c')?.session;
    await sandbox.act('kill', 'a');
    await until(() => sandbox.state[0]?.id === 3);
    const isGone = (error: unknown): boolean => hasCode(error, 'PeerGone') || hasCode(error, 'Revoked');
    await until(async () => (await dying?.read().then(() => false, isGone)) === true);
    announce.resolve();
    await until(() => events.includes('c reads a2 c -> x'));
    await shows('a#3 running, c#2 running');
    await conserved();
  });
});

test('a client that does not let go of its session is not waited for longer than the bound of the server', async () => {
  await run(async ({ apply, conserved, events, gates, shows, until }) => {
    const bound = 'replace="ready" step_bound_ms="100"';
    await apply(server('1', '', bound) + client('c'));
    await until(() => events.includes('c reads a1 c -> x'));
    // The handler never settles, so the runtime does not close the old session.
    gates.handed = new Promise(() => {});
    await apply(server('2', '', bound) + client('c'));
    await until(() => events.includes('a1 stops'));
    expect(events.indexOf('a1 closes c -> x')).toBeLessThan(events.indexOf('a1 stops'));
    await shows('a#3 running, c#2 running');
    await conserved();
  });
});

test('a client of a nested init is moved, too', async () => {
  await run(async ({ apply, conserved, events, shows, until }) => {
    const nested = nestedInit(
      '<start name="c" reattach="yes"> <binary name="client"/> <config name="c"/> </start>',
    );
    await apply(server('1') + nested);
    await until(() => events.includes('c reads a1 nest -> c -> x'));
    await apply(server('2') + nested);
    await until(() => events.includes('a1 stops'));
    expect(events.slice(-3)).toEqual(['c reads a2 nest -> c -> x', 'a1 closes nest -> c -> x', 'a1 stops']);
    await shows('a#3 running, nest#2 running');
    await conserved();
  });
});
