/**
 * Tests `reattach="yes"`: a client whose server dies or is replaced stays, and is handed a new
 * session under the same route. Children are counted by their numbers, and the books are compared
 * with the supervisor's accounts.
 */
import {
  component,
  type Env,
  hasCode,
  Log,
  rpc,
  type Session,
  session,
  SessionError,
  type SessionConnectOptions,
  text,
} from '@ginit/core';
import { deferred } from '@ginit/core/async';
import { expect, test } from 'vitest';
import { type Laboratory, laboratory, nestedInit } from '../harness/laboratory.ts';

const Store = session('Store', {
  read: rpc<() => string>({ args: [], result: text() }),
  hang: rpc<() => string>({ args: [], result: text() }),
});
type StoreSession = Session<typeof Store>;

/** What happened, in order: sessions that servers opened and closed, and what clients were told. */
function cast() {
  const events: string[] = [];
  const clients = new Map<string, { readonly env: Env; session: StoreSession; connects: number }>();
  const gate = { opening: Promise.resolve() };
  const tagOf = (env: Env): string => env.config.node.value('tag') ?? '';
  let incarnations = 0;
  const server = component({ provides: [Store] }, (env) => {
    const me = `${tagOf(env)}${++incarnations}`;
    env.onStop(() => void events.push(`${me} stops`));
    env.provide(Store, async ({ label, ram }) => {
      if (env.config.node.value('refuses') === 'yes') throw new SessionError('DENIED', 'not today');
      await gate.opening;
      events.push(`${me} opens <${label}>`);
      return {
        read: () => `${me}<${label}> ${ram}`,
        hang: () => new Promise(() => {}),
        [Symbol.dispose]: () => void events.push(`${me} closes <${label}>`),
      };
    });
  });
  /** A client that says what it is told. `label` is that of its session. */
  const makeClient = (options: (env: Env, name: string) => SessionConnectOptions<typeof Store>) =>
    component({}, async (env) => {
      const name = tagOf(env);
      env.onStop(() => void events.push(`${name} stops`));
      const own = await env.connect(Store, { label: 'x', ...options(env, name) });
      clients.set(name, { env, session: own, connects: (clients.get(name)?.connects ?? 0) + 1 });
      events.push(`${name} has a session`);
    });
  const client = makeClient((_, name) => ({
    ram: 1000,
    onReattach: async (next) => {
      const known = clients.get(name);
      if (known) known.session = next;
      events.push(`${name} reads ${await next.read()}`);
    },
    onReattachRefused: (reason) => void events.push(`${name} is refused: ${reason.message}`),
  }));
  const plain = makeClient(() => ({}));
  return { events, clients, gate, components: { server, client, plain } };
}

const server = (name: string, inner = '', attributes = '', config = '') =>
  `<start name="${name}" ${attributes}> <binary name="server"/>
    <provides> <service name="Store"/> </provides> <config tag="${name}" ${config}/> ${inner} </start>`;
const client = (name: string, target: string, attributes = 'reattach="yes"', binary = 'client') =>
  `<start name="${name}" ${attributes}> <binary name="${binary}"/> <config tag="${name}"/>
    <route> <service name="Store"> <child name="${target}"/> </service>
      <any-service> <parent/> </any-service> </route> </start>`;

/** Runs a script with a fresh cast. */
const run = async (script: (it: Laboratory & ReturnType<typeof cast>) => Promise<void>) => {
  const actors = cast();
  return laboratory(actors.components, (it) => script({ ...it, ...actors }));
};
const RESTART = '<restart max="3"/>';

test('a server that crashes and is started again: the client stays and has a new session with the same donation', async () => {
  await run(async ({ apply, clients, conserved, events, sandbox, shows, until }) => {
    await apply(server('a', RESTART) + client('c', 'a'));
    await until(() => events.includes('c has a session'));
    const first = clients.get('c')?.session;
    const before = await first?.read();
    const hanging = first?.hang().catch((error: unknown) => error);
    await conserved();
    await sandbox.act('kill', 'a');
    await until(() => events.some((event) => event.startsWith('c reads a2')));
    expect(hasCode(await hanging, 'PeerGone')).toBe(true);
    await shows('a#3 running, c#2 running');
    expect(await clients.get('c')?.session.read()).toBe(before?.replace('a1', 'a2'));
    await conserved();
    expect(clients.get('c')?.connects).toBe(1);
    // Twice is no different from once.
    await sandbox.act('kill', 'a');
    await until(() => events.some((event) => event.startsWith('c reads a3')));
    await conserved();
  });
});

test('without reattach="yes" nothing is handed: after a crash the session is dead, a restart takes the client along', async () => {
  await run(async ({ apply, clients, events, sandbox, shows, until }) => {
    await apply(server('a', RESTART) + client('c', 'a', ''));
    await until(() => events.includes('c has a session'));
    await sandbox.restart('a', 'a test');
    await shows('a#3 running, c#4 running');
    await until(() => clients.get('c')?.connects === 2);
    await sandbox.act('kill', 'a');
    await shows('a#5 running, c#4 running');
    const error = await clients
      .get('c')
      ?.session.read()
      .catch((reason: unknown) => reason);
    expect(hasCode(error, 'PeerGone')).toBe(true);
    expect(events.filter((event) => event.startsWith('c reads'))).toEqual([]);
  });
});

test('a restart by config or by hand: the session is closed in order at the old server, which ends, and is opened at the new one', async () => {
  await run(async ({ apply, conserved, events, sandbox, shows, until }) => {
    await apply(server('a') + client('c', 'a'));
    await until(() => events.includes('c has a session'));
    await apply(server('a', '', 'version="2"') + client('c', 'a'));
    await until(() => events.some((event) => event.startsWith('c reads a2')));
    expect(events.map((event) => event.replace(/ \d+$/, ''))).toEqual([
      'a1 opens <c -> x>',
      'c has a session',
      'a1 closes <c -> x>',
      'a1 stops',
      'a2 opens <c -> x>',
      'c reads a2<c -> x>',
    ]);
    await shows('a#3 running, c#2 running');
    await conserved();
    await sandbox.restart('a', 'a test');
    await until(() => events.some((event) => event.startsWith('c reads a3')));
    await shows('a#4 running, c#2 running');
    await conserved();
  });
});

test('a client with a session that it cannot take anew is restarted, and the avalanche goes on behind it', async () => {
  await run(async ({ apply, events, sandbox, shows, until }) => {
    await apply(server('a') + client('c', 'a', 'reattach="yes"', 'plain'));
    await until(() => events.includes('c has a session'));
    await sandbox.restart('a', 'a test');
    await shows('a#3 running, c#4 running');
  });
});

test('the route leads nowhere any more: the client stays, is told so, and gets a session when there is a route again', async () => {
  await run(async ({ apply, conserved, events, sandbox, shows, until }) => {
    await apply(server('a') + client('c', 'a'));
    await until(() => events.includes('c has a session'));
    await apply(client('c', 'a'));
    await until(() => events.some((event) => event.startsWith('c is refused')));
    expect(events.at(-1)).toContain('no target of this route provides service "Store"');
    await shows('c#2 waiting');
    expect(sandbox.state[0]?.why).toBe('route leads to "a", which does not provide Store');
    await conserved();
    await apply(server('a') + client('c', 'a'));
    await until(() => events.some((event) => event.startsWith('c reads a2')));
    await shows('a#3 running, c#2 running');
    await conserved();
  });
});

test('the server gives up: the client waits with that reason, until the server is started by hand', async () => {
  await run(async ({ apply, conserved, events, sandbox, shows, until }) => {
    await apply(server('a', '<restart max="0"/>') + client('c', 'a'));
    await until(() => events.includes('c has a session'));
    await sandbox.act('kill', 'a');
    await until(() => events.some((event) => event.startsWith('c is refused')));
    await shows('a#1 gave up, c#2 waiting');
    expect(sandbox.state[1]?.why).toBe('route leads to "a", which does not run');
    await conserved();
    await sandbox.restart('a', 'a test');
    await until(() => events.some((event) => event.startsWith('c reads a2')));
    await shows('a#3 running, c#2 running');
    await conserved();
  });
});

test('the new server refuses: the client has its donation back, and asks again with the next config', async () => {
  await run(async ({ apply, conserved, events, shows, until }) => {
    const c = client('c', 'a');
    await apply(server('a') + c);
    await until(() => events.includes('c has a session'));
    await apply(server('a', '', 'version="2"', 'refuses="yes"') + c);
    await until(() => events.some((event) => event.startsWith('c is refused')));
    expect(events.at(-1)).toBe('c is refused: Store session "x": DENIED: not today');
    await conserved();
    await apply(server('a', '', 'version="2"') + c);
    await until(() => events.some((event) => event.startsWith('c reads a2')));
    await shows('a#3 running, c#2 running');
    await conserved();
  });
});

test('a client that closes its session while the new one is being opened has neither', async () => {
  await run(async ({ apply, clients, conserved, events, gate, sandbox, shows, until }) => {
    await apply(server('a', RESTART) + client('c', 'a'));
    await until(() => events.includes('c has a session'));
    const opening = deferred<void>();
    gate.opening = opening.promise;
    await sandbox.act('kill', 'a');
    await shows('a#3 running, c#2 running');
    const c = clients.get('c');
    if (c) await c.env.close(c.session);
    opening.resolve();
    await until(() => events.includes('a2 closes <c -> x>'));
    await conserved();
    // Nor does it get one with the next server.
    await sandbox.act('kill', 'a');
    await shows('a#4 running, c#2 running');
    await conserved();
    expect(events.filter((event) => event.startsWith('c reads'))).toEqual([]);
  });
});

test('a client of a nested init is handed sessions of a server beyond that init, which stays, too', async () => {
  const nested = (attributes: string) =>
    nestedInit(
      '<start name="c" reattach="yes"> <binary name="client"/> <config tag="c"/> </start>',
      attributes,
    );
  await run(async ({ apply, conserved, events, sandbox, shows, until }) => {
    const system = server('a', RESTART) + nested('reattach="yes"');
    await apply(system);
    await until(() => events.includes('c has a session'));
    await sandbox.act('kill', 'a');
    await until(() => events.some((event) => event.startsWith('c reads a2')));
    await shows('a#3 running, nest#2 running');
    await conserved();
    await sandbox.restart('a', 'a test');
    await until(() => events.some((event) => event.startsWith('c reads a3')));
    await shows('a#4 running, nest#2 running');
    await conserved();
    // A route that is not there and comes back is beyond the nested init, too.
    await apply(nested('reattach="yes"'));
    await until(() => events.some((event) => event.startsWith('c is refused')));
    await apply(system);
    await until(() => events.some((event) => event.startsWith('c reads a4')));
    await conserved();
    expect(events.filter((event) => event === 'c has a session')).toHaveLength(1);
    // The init itself must say it, and its child must be able to.
    await apply(server('a', RESTART) + nested(''));
    await sandbox.restart('a', 'a test');
    await until(() => events.filter((event) => event === 'c has a session').length === 2);
    await conserved();
  });
});

test('a client that cannot pay for two sessions is healed again and again: one donation is back before the next is made', async () => {
  const actors = cast();
  const greedy = component({ provides: [Store] }, (env) => {
    env.provide(Store, () => ({ read: () => 'greedy', hang: () => 'greedy' }));
  });
  // The client has 4M.
  const spender = component({}, async (env) => {
    await env.connect(Store, {
      ram: 2_500_000,
      onReattach: async (next) => void actors.events.push(`spender reads ${await next.read()}`),
    });
    actors.events.push('spender has a session');
  });
  await laboratory(
    { ...actors.components, greedy, spender },
    async ({ apply, conserved, sandbox, until }) => {
      const { events } = actors;
      const a = server('a', RESTART).replace('name="server"', 'name="greedy"');
      await apply(a + client('c', 'a', 'reattach="yes"', 'spender'));
      await until(() => events.includes('spender has a session'));
      for (let round = 1; round <= 3; round++) {
        await sandbox.act('kill', 'a');
        await until(() => events.filter((event) => event === 'spender reads greedy').length === round);
        await conserved();
      }
    },
  );
});

test('the own sessions of the runtime go on, too: a log server that is restarted takes no client along', async () => {
  const actors = cast();
  const heard: string[] = [];
  const logger = component({ provides: [Log] }, (env) => {
    env.provide(Log, ({ label }) => ({ write: (line: string) => void heard.push(`${label}: ${line}`) }));
  });
  const talker = component({}, async (env) => {
    for (let n = 0; ; n++) {
      void env.log(`line ${n}`);
      await env.timer.sleep(1);
    }
  });
  const system = (version: string) =>
    `<start name="logger" version="${version}"> <provides> <service name="LOG"/> </provides> </start>
     <start name="talker" reattach="yes">
      <route> <service name="LOG"> <child name="logger"/> </service>
        <any-service> <parent/> </any-service> </route> </start>`;
  await laboratory({ ...actors.components, logger, talker }, async ({ apply, conserved, shows, until }) => {
    await apply(system('1'));
    await until(() => heard.length > 3);
    await apply(system('2'));
    await shows('logger#3 running, talker#2 running');
    const before = heard.length;
    await until(() => heard.length > before + 3);
    await conserved();
  });
});
