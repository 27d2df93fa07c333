/**
 * Tests what a new config does to a running system, row by row of the rules of Genode's init:
 * children are counted by their numbers, and the books are compared with the supervisor's accounts.
 */
import { component, type Env, hasCode, rpc, session, text } from '@ginit/core';
import { describe, expect, test } from 'vitest';
import { type Laboratory, laboratory } from '../harness/laboratory.ts';

const Store = session('Store', { read: rpc<() => string>({ args: [], result: text() }) });

/** The sessions that servers have open, as `tag<label>`; and what clients read last, by name. */
function cast() {
  const open = new Set<string>();
  const order: string[] = [];
  const configs: string[] = [];
  const tagOf = (env: Env): string => env.config.node.value('tag') ?? '';
  const server = component({ provides: [Store] }, (env) => {
    env.config.onUpdate(() => void configs.push(`server ${tagOf(env)}`));
    env.onStop(() => void order.push(`server ${tagOf(env)}`));
    env.provide(Store, ({ label }) => {
      const name = `${tagOf(env)}<${label}>`;
      return { read: () => name, [Symbol.dispose]: () => void open.delete(name) };
    });
  });
  const client = component({}, async (env) => {
    env.onStop(() => void order.push('client'));
    open.add(await (await env.connect(Store, { label: 'x' })).read());
    env.config.onUpdate(() => void configs.push(`client ${tagOf(env)}`));
  });
  const idle = component({}, (env) => {
    env.config.onUpdate(() => void configs.push(`idle ${tagOf(env)}`));
  });
  const leaver = component({}, (env) => env.exit(Number(env.config.node.value('code') ?? 0)));
  const trip = component({}, () => {
    throw new Error('over my own feet');
  });
  return { open, order, configs, components: { server, client, idle, leaver, trip } };
}

const server = (name: string, inner = '', attributes = '') =>
  `<start name="${name}" ${attributes}> <binary name="server"/>
    <provides> <service name="Store"/> </provides> <config tag="${name}"/> ${inner} </start>`;
const client = (name: string, target: string, attributes = '') =>
  `<start name="${name}" ${attributes}> <binary name="client"/>
    <route> <service name="Store"> ${target} </service> <any-service> <parent/> </any-service> </route> </start>`;
const idle = (name: string, inner = '', attributes = '') =>
  `<start name="${name}" ${attributes}> <binary name="idle"/> ${inner} </start>`;
const to = (name: string, attributes = '') => `<child name="${name}" ${attributes}/>`;

/** Runs a script with a fresh cast. */
const run = async (script: (it: Laboratory & ReturnType<typeof cast>) => Promise<void>) => {
  const actors = cast();
  return laboratory(actors.components, (it) => script({ ...it, ...actors }));
};
const has =
  (set: ReadonlySet<string>, ...names: readonly string[]) =>
  () =>
    set.size === names.length && names.every((name) => set.has(name));

describe('children that come and go', () => {
  test('child removed: its client is stuck, keeps its number, and is restarted once when the server is back', async () => {
    await run(async ({ apply, conserved, lines, open, shows, until }) => {
      await apply(server('a') + client('c', to('a')));
      await until(has(open, 'a<c -> x>'));
      await shows('a#1 running, c#2 running');
      await apply(client('c', to('a')));
      await shows('c#2 stuck');
      expect(lines('Warning: c: no target of this route provides service "Store"')).toHaveLength(1);
      expect(open.size).toBe(0);
      await conserved();
      await apply(client('c', to('a')) + idle('z'));
      await shows('c#2 stuck, z#3 running');
      await apply(server('a') + client('c', to('a')) + idle('z'));
      await until(has(open, 'a<c -> x>'));
      await shows('a#4 running, c#5 running, z#3 running');
    });
  });

  test('child removed: a client with another route is restarted with it, and stopped before its server', async () => {
    await run(async ({ apply, conserved, open, order, shows, until }) => {
      const c = client('c', to('a') + to('b'));
      await apply(server('a') + server('b') + c);
      await until(has(open, 'a<c -> x>'));
      await apply(server('b') + c);
      await until(has(open, 'b<c -> x>'));
      expect(order).toEqual(['client', 'server a']);
      await shows('b#2 running, c#4 running');
      await conserved();
    });
  });

  test('child added: the others are not touched, and the order is that of the config', async () => {
    await run(async ({ apply, configs, shows }) => {
      await apply(idle('a') + idle('c'));
      await apply(idle('a') + idle('b') + idle('c'));
      await shows('a#1 running, b#3 running, c#2 running');
      await apply(idle('a') + idle('b') + idle('c'));
      await shows('a#1 running, b#3 running, c#2 running');
      expect(configs).toEqual([]);
    });
  });

  test('a child that could not be created is tried again with the next config, and heals its clients then', async () => {
    await run(async ({ apply, conserved, lines, open, shows, until }) => {
      const c = client('c', to('a'));
      await apply(server('a') + c);
      await until(has(open, 'a<c -> x>'));
      const rich = server('a', '', 'ram="1G" version="2"');
      await apply(rich + c);
      await shows('a#3 incomplete, c#4 crashed');
      expect(lines('child "a" cannot be started: not enough RAM quota')).toHaveLength(1);
      await conserved();
      await apply(rich + c);
      await shows('a#5 incomplete, c#4 crashed');
      await apply(server('a', '', 'version="2"') + c.replace('<route>', '<config/> <route>'));
      await until(has(open, 'a<c -> x>'));
      await shows('a#6 running, c#7 running');
    });
  });

  test('a child that waits for room gets what a removed one gives back', async () => {
    await run(async ({ apply, conserved, shows }) => {
      await apply(idle('a', '', 'ram="120M"'));
      await apply(idle('b', '', 'ram="120M"'));
      await shows('b#2 running');
      await conserved();
    });
  });
});

describe('routes', () => {
  test('own route changed, same result: nothing; different service or label: restart', async () => {
    await run(async ({ apply, conserved, open, shows, until }) => {
      await apply(server('a') + server('b') + client('c', to('a')));
      await until(has(open, 'a<c -> x>'));
      await apply(server('a') + server('b') + client('c', to('a') + to('b')));
      await shows('a#1 running, b#2 running, c#3 running');
      await apply(server('a') + server('b') + client('c', to('b') + to('a')));
      await until(has(open, 'b<c -> x>'));
      await shows('a#1 running, b#2 running, c#4 running');
      await apply(server('a') + server('b') + client('c', to('b', 'label="other"')));
      await until(has(open, 'b<other>'));
      await shows('a#1 running, b#2 running, c#5 running');
      await conserved();
    });
  });

  test('the restart of a server is an avalanche: all clients of it, each once', async () => {
    const actors = cast();
    const relay = component({ provides: [Store] }, async (env) => {
      const above = await env.connect(Store, { label: 'r' });
      actors.open.add(await above.read());
      env.provide(Store, () => ({ read: () => above.read() }));
    });
    await laboratory({ ...actors.components, relay }, async ({ apply, shows, until }) => {
      const system = (version: string) =>
        server('a', '', `version="${version}"`) +
        client('b', to('a'))
          .replace('"client"', '"relay"')
          .replace('<route>', '<provides> <service name="Store"/> </provides> <route>') +
        client('c', to('b')) +
        server('z') +
        client('far', to('z'));
      await apply(system('1'));
      await until(has(actors.open, 'a<b -> r>', 'z<far -> x>'));
      await shows('a#1 running, b#2 running, c#3 running, z#4 running, far#5 running');
      await apply(system('2'));
      await until(has(actors.open, 'a<b -> r>', 'z<far -> x>'));
      await shows('a#6 running, b#7 running, c#8 running, z#4 running, far#5 running');
    });
  });

  test('provided service removed: server untouched, client stuck and without its session; added again: client restarted', async () => {
    await run(async ({ apply, conserved, open, shows, until }) => {
      const c = client('c', to('a'));
      await apply(server('a') + c);
      await until(has(open, 'a<c -> x>'));
      await apply(server('a').replace('<service name="Store"/>', '') + c);
      await shows('a#1 running, c#2 stuck');
      await until(() => open.size === 0);
      await conserved();
      await apply(server('a') + c);
      await until(has(open, 'a<c -> x>'));
      await shows('a#1 running, c#3 running');
    });
  });

  test('binary name: restart only if the resolved ROM route differs', async () => {
    await run(async ({ apply, shows, until, children }) => {
      const around = `<parent-provides> <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> </parent-provides>
        <default-route> <service name="ROM" label_last="same"> <parent label="idle"/> </service> <any-service> <parent/> </any-service> </default-route>`;
      await apply(idle('a'), around);
      await apply(idle('a').replace('"idle"', '"same"'), around);
      await shows('a#1 running');
      await apply(idle('a').replace('"idle"', '"client"'), around);
      await until(() => children().startsWith('a#2 '));
    });
  });
});

describe('start nodes', () => {
  test('inline config content: ROM update only; a config that appears is an update, one that vanishes a restart', async () => {
    await run(async ({ apply, configs, shows, until }) => {
      await apply(idle('a', '<config tag="1"/>') + idle('b'));
      await shows('a#1 running, b#2 running');
      await apply(idle('a', '<config tag="2"/>') + idle('b', '<config tag="new"/>'));
      await until(() => configs.length === 2);
      expect(configs.toSorted()).toEqual(['idle 2', 'idle new']);
      await shows('a#1 running, b#2 running');
      await apply(idle('a') + idle('b', '<config tag="new"/>'));
      await shows('a#3 running, b#2 running');
    });
  });

  test('version: restart; exited child, anything but name/version: stays exited', async () => {
    await run(async ({ apply, children, shows, until }) => {
      const leaver = (attributes: string, inner = '') =>
        `<start name="l" ${attributes}> <binary name="leaver"/> ${inner} </start>`;
      await apply(idle('a', '', 'version="1"') + leaver(''));
      await until(() => children().includes('l#2 exited'));
      await apply(idle('a', '', 'version="2"') + leaver('ram="5M"', '<config code="3"/>'));
      await shows('a#3 running, l#2 exited');
      await apply(idle('a', '', 'version="2"') + leaver('version="2"', '<config code="3"/>'));
      await shows('a#3 running, l#4 exited');
    });
  });

  test('priority and affinity: no effect on a running child', async () => {
    await run(async ({ apply, shows }) => {
      await apply(idle('a'));
      await apply(idle('a', '<affinity xpos="0"/>', 'priority="0" managing_system="yes" ld="no"'));
      await shows('a#1 running');
    });
  });

  test('ram/caps up and down: the child keeps what it uses, and gives back more when it has freed that', async () => {
    const actors = cast();
    let free = async (): Promise<void> => {};
    const holder = component({}, async (env) => {
      const memory = await env.ram.allocate(4 * 1024 * 1024);
      free = () => env.ram.free(memory);
    });
    await laboratory({ ...actors.components, holder }, async ({ apply, conserved, quota, shows }) => {
      const holderOf = (ram: string, caps: number) =>
        `<start name="h" ram="${ram}" caps="${caps}"> <binary name="holder"/> </start>`;
      await apply(holderOf('6M', 100));
      await shows('h#1 running');
      const [first, M] = [quota('h'), 1024 * 1024];
      if (!first) throw new Error('no account');
      await apply(holderOf('8M', 120));
      expect(quota('h')).toEqual({ ram: first.ram + 2 * M, caps: first.caps + 20 });
      await apply(holderOf('7M', 120));
      expect(quota('h')).toEqual({ ram: first.ram + M, caps: first.caps + 20 });
      await apply(holderOf('2M', 60));
      const kept = quota('h');
      expect(kept?.ram).toBeGreaterThan(4 * M + 16 * 1024);
      expect(kept?.ram).toBeLessThan(5 * M);
      expect(kept?.caps).toBe(first.caps - 40);
      await conserved();
      await free();
      await apply(holderOf('2M', 60));
      expect(quota('h')).toEqual({ ram: first.ram - 4 * M, caps: first.caps - 40 });
      await shows('h#1 running');
      await conserved();
    });
  });

  test('ram/caps down: what the child uses is asked for, and taken as soon as it says that it has freed it', async () => {
    const actors = cast();
    const asked: number[] = [];
    const polite = component({}, async (env) => {
      const memory = await env.ram.allocate(4 * 1024 * 1024);
      env.onYield(async ({ ram }) => {
        asked.push(ram);
        await env.ram.free(memory);
      });
    });
    await laboratory({ ...actors.components, polite }, async ({ apply, shows, quota, until, conserved }) => {
      const politeOf = (ram: string) => `<start name="p" ram="${ram}"> <binary name="polite"/> </start>`;
      await apply(politeOf('6M'));
      await shows('p#1 running');
      const first = quota('p')?.ram ?? 0;
      await apply(politeOf('2M'));
      await until(() => quota('p')?.ram === first - 4 * 1024 * 1024);
      expect(asked).toHaveLength(1);
      await shows('p#1 running');
      await conserved();
    });
  });

  test('ram up: what is not there is tried again with the next config, and comes of what others give back', async () => {
    await run(async ({ apply, quota, conserved, shows }) => {
      await apply(idle('a', '', 'ram="100M"') + idle('b', '', 'ram="10M"'));
      await shows('a#1 running, b#2 running');
      const before = quota('b')?.ram ?? 0;
      await apply(idle('a', '', 'ram="100M"') + idle('b', '', 'ram="150M"'));
      const some = quota('b')?.ram ?? 0;
      expect(some).toBeGreaterThan(before);
      await apply(idle('a', '', 'ram="20M"') + idle('b', '', 'ram="150M"'));
      expect(quota('b')?.ram).toBe(before + 140 * 1024 * 1024);
      await conserved();
    });
  });
});

describe('configs that change while something is under way', () => {
  test('a child that is removed and named again while it stops comes back when the old one is gone', async () => {
    let alive = 0;
    let most = 0;
    const slow = component({}, (env) => {
      alive++;
      most = Math.max(most, alive);
      env.onStop(async () => {
        await env.timer.sleep(30);
        alive--;
      });
    });
    await laboratory({ ...cast().components, slow }, async ({ apply, conserved, shows, until }) => {
      const one = '<start name="s"> <binary name="slow"/> </start>';
      await apply(one);
      await until(() => alive === 1);
      const removed = apply(idle('a'));
      const again = apply(idle('a') + one);
      const other = apply(idle('a') + one.replace('<start ', '<start version="2" '));
      await Promise.all([removed, again, other]);
      await until(() => alive === 1);
      expect(most).toBe(1);
      await shows('a#2 running, s#4 running');
      await conserved();
    });
  });

  test('a child that is removed while it waits for its server ends, and nothing is left of it', async () => {
    await run(async ({ apply, conserved, shows }) => {
      const never =
        '<start name="n"> <binary name="idle"/> <provides> <service name="PD"/> </provides> </start>';
      const waits =
        '<start name="w"> <binary name="idle"/> <route> <service name="PD"> <child name="n"/> </service> <any-service> <parent/> </any-service> </route> </start>';
      const waiting = apply(never + waits);
      await apply(never);
      await waiting;
      await shows('n#1 running');
      await conserved();
    });
  });

  test('a child that crashes while its start node changes is started by the new one, once', async () => {
    await run(async ({ apply, conserved, shows }) => {
      const trip = (inner: string) => `<start name="t"> <binary name="trip"/> ${inner} </start>`;
      await apply(trip(''));
      await shows('t#1 crashed');
      await apply(trip('') + idle('a'));
      await shows('t#1 crashed, a#2 running');
      await apply(trip('<config x="1"/>') + idle('a'));
      await shows('t#3 crashed, a#2 running');
      await apply('<start name="t"> <binary name="idle"/> </start>' + idle('a'));
      await shows('t#4 running, a#2 running');
      await conserved();
    });
  });
});

describe('healing', () => {
  const policy = (name: string, binary: string, restart: string, config = '') =>
    `<start name="${name}"> <binary name="${binary}"/> <restart ${restart}/> ${config} </start>`;

  test('exit 0 is no crash, another exit is one, and on="always" starts a child again after every exit', async () => {
    await run(async ({ apply, children, lines, until }) => {
      await apply(
        policy('zero', 'leaver', 'max="1"') +
          policy('three', 'leaver', 'max="1"', '<config code="3"/>') +
          policy('always', 'leaver', 'on="always" max="1"'),
      );
      await until(() => /zero#1 exited, three#\d gave up, always#\d gave up/.test(children()));
      expect(lines('child "zero" is started again')).toEqual([]);
      expect(lines('child "three" is started again (1 of 1 in 60 s)')).toHaveLength(1);
      expect(lines('child "always" is started again (1 of 1 in 60 s)')).toHaveLength(1);
    });
  });

  test('after the bound it says why, and restart or a changed start node begins anew', async () => {
    await run(async ({ apply, sandbox, shows }) => {
      await apply(policy('t', 'trip', 'max="1" period_s="60"'));
      await shows('t#2 gave up');
      expect(sandbox.state[0]?.why).toBe('gave up: 1 crash in 60 s, last: Error: over my own feet');
      expect(await sandbox.act('restart', 't')).toBeUndefined();
      await shows('t#4 gave up');
      await apply(policy('t', 'trip', 'max="1" period_s="61"'));
      await shows('t#6 gave up');
      expect(await sandbox.act('kill', 't')).toBe('"t" does not run');
      expect(await sandbox.act('kill', 'nobody')).toBe('"nobody" does not run');
    });
  });

  test('a crashed server is started again without its clients; a restart by hand takes them with it', async () => {
    await run(async ({ apply, children, conserved, open, sandbox, shows, until }) => {
      const patient = client('c', to('a'));
      await apply(server('a', '<restart max="5"/>') + patient);
      await until(has(open, 'a<c -> x>'));
      expect(await sandbox.act('kill', 'a')).toBeUndefined();
      await shows('a#3 running, c#2 running');
      await conserved();
      await apply(server('a', '<restart max="5"/>') + client('c', to('a'), 'version="2"'));
      await until(() => children() === 'a#3 running, c#4 running' && open.has('a<c -> x>'));
      expect(await sandbox.act('restart', 'a')).toBeUndefined();
      await shows('a#5 running, c#6 running');
      await conserved();
    });
  });
});

test('a request to a child that has exited is denied, and its sessions end with PeerGone', async () => {
  const seen: string[] = [];
  const late = component({}, async (env) => {
    await env
      .connect(Store)
      .catch((error: unknown) => seen.push(hasCode(error, 'DENIED') ? 'denied' : String(error)));
  });
  const brief = component({ provides: [Store] }, (env) => {
    env.provide(Store, () => ({ read: () => '' }));
    env.exit(0);
  });
  await laboratory({ ...cast().components, late, brief }, async ({ apply, shows, until }) => {
    const start =
      '<start name="b"> <binary name="brief"/> <provides> <service name="Store"/> </provides> </start>';
    await apply(start);
    await shows('b#1 exited');
    await apply(start + client('c', to('b')).replace('"client"', '"late"'));
    await until(() => seen.length === 1);
    expect(seen).toEqual(['denied']);
  });
});
