/**
 * Tests rules of Genode's init that no other test is about, in whole systems: docs/init-rules.md
 * lists all rules, each with its test.
 */
import { component, type Component, hasCode, Log, rpc, session, text } from '@ginit/core';
import { deferred } from '@ginit/core/async';
import { describe, expect, test } from 'vitest';
import { type Laboratory, laboratory } from '../harness/laboratory.ts';

const Store = session('Store', { read: rpc<() => string>({ args: [], result: text() }) });

/** A server, a client and others, and the sessions that are open at servers. */
function cast() {
  const open = new Set<string>();
  const seen: string[] = [];
  const server = component({ provides: [Store] }, (env) => {
    const tag = env.config.node.value('tag') ?? '';
    env.provide(Store, ({ label }) => {
      const name = `${tag}<${label}>`;
      open.add(name);
      return { read: () => name, [Symbol.dispose]: () => void open.delete(name) };
    });
  });
  const client = component({}, async (env) => {
    await (await env.connect(Store, { label: 'x' })).read();
  });
  const idle = component({}, (env) => {
    env.config.onUpdate((node) => void seen.push(node.value('tag') ?? ''));
    void env.log('here I am');
  });
  return { open, seen, components: { server, client, idle } };
}

const server = (name: string, inner = '', attributes = '') =>
  `<start name="${name}" ${attributes}> <binary name="server"/>
    <provides> <service name="Store"/> </provides> <config tag="${name}"/> ${inner} </start>`;
const client = (name: string, target: string, attributes = '') =>
  `<start name="${name}" ${attributes}> <binary name="client"/>
    <route> <service name="Store"> <child name="${target}"/> </service> <any-service> <parent/> </any-service> </route> </start>`;
const idle = (name: string, attributes = '', inner = '') =>
  `<start name="${name}" ${attributes}> <binary name="idle"/> ${inner} </start>`;

/** Runs a script with a fresh cast, and other components besides. */
const run = (
  script: (it: Laboratory & ReturnType<typeof cast>) => Promise<void>,
  more: Readonly<Record<string, Component>> = {},
) => {
  const actors = cast();
  return laboratory({ ...actors.components, ...more }, (it) => script({ ...it, ...actors }));
};
const has =
  (set: ReadonlySet<string>, ...names: readonly string[]) =>
  () =>
    set.size === names.length && names.every((name) => set.has(name));

describe('the environment', () => {
  test('environment sessions go by the routes of the child: its LOG may be served by another child', async () => {
    const written: string[] = [];
    const scribe = component({ provides: [Log] }, (env) => {
      env.provide(Log, ({ label }) => ({ write: (lines) => void written.push(`[${label}] ${lines}`) }));
    });
    const logger =
      '<start name="scribe"> <binary name="scribe"/> <provides> <service name="LOG"/> </provides> </start>';
    const route =
      '<route> <service name="LOG" unscoped_label="a"> <child name="scribe"/> </service> <any-service> <parent/> </any-service> </route>';
    await run(
      async ({ apply, conserved, lines, shows, until }) => {
        await apply(logger + idle('a', '', route));
        await until(() => written.length > 0);
        expect(written.join('').trim()).toBe('[a] here I am');
        expect(lines('here I am')).toEqual([]);
        // Without its LOG session a child that runs is stuck, and is restarted when there is one
        // again.
        await apply(idle('a', '', route));
        await shows('a#2 stuck');
        await conserved();
        await apply(logger + idle('a', '', route));
        await until(() => written.length > 1);
        await shows('scribe#3 running, a#4 running');
      },
      { scribe },
    );
  });

  test('parent-provides: a service that is taken away leaves its children stuck until it is back', async () => {
    await run(async ({ apply, conserved, shows }) => {
      const around = (services: readonly string[]): string =>
        `<parent-provides> ${services.map((name) => `<service name="${name}"/>`).join('')} </parent-provides>
         <default-route> <any-service> <parent/> </any-service> </default-route>`;
      const all = ['ROM', 'LOG', 'PD', 'CPU'];
      await apply(idle('a'), around(all));
      await shows('a#1 running');
      await apply(idle('a'), around(['ROM', 'PD', 'CPU']));
      await shows('a#1 stuck');
      await conserved();
      await apply(idle('a'), around(all));
      await shows('a#2 running');
    });
  });

  test('a missing binary ROM: a message, that child is left out, and the others run', async () => {
    await run(async ({ apply, conserved, lines, shows }) => {
      await apply(`<start name="b"> <binary name="nowhere"/> </start> ${idle('a')}`);
      await shows('b#1 incomplete, a#2 running');
      expect(lines('child "b" cannot be started: ')).toHaveLength(1);
      await conserved();
      await apply(idle('b') + idle('a'));
      await shows('b#3 running, a#2 running');
    });
  });
});

describe('names', () => {
  test('alias and start may change places under one name', async () => {
    const alias = '<alias name="shop" child="a"/>';
    const around = (more: string): string => `<parent-provides>
        <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/>
      </parent-provides> <default-route> <any-service> <parent/> </any-service> </default-route> ${more}`;
    await run(async ({ apply, conserved, open, shows, until }) => {
      const system = server('a') + client('c', 'shop');
      await apply(system, around(alias));
      await until(has(open, 'a<c -> x>'));
      await shows('a#1 running, c#2 running');
      await apply(system + server('shop'), around(''));
      await until(has(open, 'shop<c -> x>'));
      await shows('a#1 running, c#3 running, shop#4 running');
      await apply(system, around(alias));
      await until(has(open, 'a<c -> x>'));
      await shows('a#1 running, c#5 running');
      await conserved();
    });
  });

  test('of two start nodes with one name and version the later one counts, and there is one child', async () => {
    await run(async ({ apply, seen, shows, until }) => {
      await apply(idle('a', '', '<config tag="1"/>') + idle('b'));
      await shows('a#1 running, b#2 running');
      await apply(idle('a', '', '<config tag="2"/>') + idle('b') + idle('a', '', '<config tag="3"/>'));
      await until(() => seen.length > 0);
      await shows('a#1 running, b#2 running');
      expect(seen).toEqual(['3']);
    });
  });
});

describe('quota', () => {
  test('slack goes to the children that are named first, and those that do not fit are left out', async () => {
    await run(async ({ apply, conserved, shows }) => {
      await apply(idle('a', 'ram="120M"') + idle('b', 'ram="120M"') + idle('c', 'ram="20M"'));
      await shows('a#1 running, b#2 incomplete, c#3 running');
      await conserved();
    });
  });
});

describe('a client that is removed', () => {
  test('with open sessions: each is closed at its server, and the quota is back at init', async () => {
    await run(async ({ apply, conserved, open, quota, shows, until }) => {
      await apply(server('a') + client('c', 'a') + client('d', 'a'));
      await until(has(open, 'a<c -> x>', 'a<d -> x>'));
      await apply(server('a') + client('d', 'a'));
      await until(has(open, 'a<d -> x>'));
      await shows('a#1 running, d#3 running');
      await conserved();
      expect(quota('c')).toBeUndefined();
    });
  });

  test('while its server is still answering: the session that comes late is closed', async () => {
    const door = deferred<void>();
    const asked: string[] = [];
    const closed: string[] = [];
    const slow = component({ provides: [Store] }, (env) => {
      env.provide(Store, async ({ label }) => {
        asked.push(label.text);
        await door.promise;
        return { read: () => '', [Symbol.dispose]: () => void closed.push(label.text) };
      });
    });
    await run(
      async ({ apply, conserved, shows, until }) => {
        const one = server('s').replace('"server"', '"slow"');
        await apply(one + client('c', 's'));
        await until(() => asked.length === 1);
        await apply(one);
        await shows('s#1 running');
        door.resolve();
        await until(() => closed.length === 1);
        expect(closed).toEqual(['c -> x']);
        await conserved();
      },
      { slow },
    );
  });

  test('while it waits for one of its sessions to close: the close completes, and touches nobody', async () => {
    const door = deferred<void>();
    const closing: string[] = [];
    const slow = component({ provides: [Store] }, (env) => {
      env.provide(Store, ({ label }) => ({
        read: () => '',
        [Symbol.asyncDispose]: async () => {
          closing.push(label.text);
          await door.promise;
        },
      }));
    });
    const ends: string[] = [];
    const closer = component({}, async (env) => {
      const store = await env.connect(Store, { label: 'x' });
      await env.close(store).catch((error: unknown) => ends.push(hasCode(error, 'PeerGone') ? 'gone' : '?'));
    });
    await run(
      async ({ apply, conserved, shows, until }) => {
        const one = server('s').replace('"server"', '"slow"');
        const leaving = client('c', 's').replace('"client"', '"closer"');
        await apply(one + leaving);
        await until(() => closing.length === 1);
        const removed = apply(one);
        const again = apply(one + client('c', 's'));
        door.resolve();
        await Promise.all([removed, again]);
        await shows('s#1 running, c#3 running');
        expect(closing).toEqual(['c -> x']);
        expect(ends).toEqual([]);
        await conserved();
      },
      { slow, closer },
    );
  });
});
