/**
 * Random pairs of configs: a system that runs by the first and is given the second ends like one
 * that was started by the second, except for what the rules let survive; the children that are new
 * are those that the plan names; and the books agree with the accounts after every step.
 */
import { component, rpc, session, text } from '@ginit/core';
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { nameOf, planChanges } from '../../packages/init/src/plan/index.ts';
import { type Laboratory, laboratory, readSystem } from '../harness/laboratory.ts';

const RUNS = 20;
const SERVERS = ['s0', 's1', 's2'] as const;
const CLIENTS = ['c0', 'c1', 'c2'] as const;
const Store = session('Store', { read: rpc<() => string>({ args: [], result: text() }) });

/** One system: which children there are, and where their routes lead. */
interface System {
  readonly servers: Readonly<Record<string, { readonly version: number; readonly provides: boolean }>>;
  readonly clients: Readonly<
    Record<
      string,
      {
        readonly version: number;
        readonly targets: readonly string[];
        readonly label: string;
        readonly ram: number;
      }
    >
  >;
}

const version = fc.constantFrom(0, 0, 0, 1);
const target = fc.constantFrom(...SERVERS, 'parent', 'any');
const system: fc.Arbitrary<System> = fc.record({
  servers: fc.dictionary(
    fc.constantFrom(...SERVERS),
    fc.record({ version, provides: fc.constantFrom(true, true, true, false) }),
    { minKeys: 2 },
  ),
  clients: fc.dictionary(
    fc.constantFrom(...CLIENTS),
    fc.record({
      version,
      targets: fc.uniqueArray(target, { minLength: 1, maxLength: 3 }),
      label: fc.constantFrom('', 'x'),
      ram: fc.integer({ min: 2, max: 5 }),
    }),
  ),
});

/** How the second system is made: it is another one, or it differs in little, or in labels only. */
const likeness = fc.constantFrom('other', 'alike', 'alike', 'relabelled');

/**
 * Two systems, of which the second mostly differs from the first in little: most rules are about
 * children that have something in common with those before.
 */
const pair = fc
  .tuple(system, system, fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }), likeness)
  .map(([first, other, bits, how]): [System, System] => {
    if (how === 'relabelled') return [first, relabelled(first)];
    return [first, how === 'alike' ? mixed(first, other, bits) : other];
  });

/** The same system, but the servers see other labels. */
function relabelled({ servers, clients }: System): System {
  const others = Object.entries(clients).map(([name, client]): [string, typeof client] => [
    name,
    { ...client, label: client.label === '' ? 'x' : '' },
  ]);
  return { servers, clients: Object.fromEntries(others) };
}

/** The first system, with those parts of the other that the bits say. */
function mixed(first: System, other: System, bits: readonly boolean[]): System {
  let at = 0;
  const take = <T>(one: T, two: T): T => (bits[at++ % bits.length] && bits[at % bits.length] ? two : one);
  const merge = <T extends object>(one: Readonly<Record<string, T>>, two: Readonly<Record<string, T>>) =>
    Object.fromEntries(
      [...new Set([...Object.keys(one), ...Object.keys(two)])].flatMap((name): [string, T][] => {
        const [a, b] = [one[name], two[name]];
        if (!a || !b) {
          const kept = take(a, b);
          return kept ? [[name, kept]] : [];
        }
        const parts = Object.keys(a).map((key) => [key, Reflect.get(take(a, b), key)]);
        return [[name, Object.assign({ ...a }, Object.fromEntries(parts))]];
      }),
    );
  return { servers: merge(first.servers, other.servers), clients: merge(first.clients, other.clients) };
}

const targetText = (name: string, label: string): string => {
  const rewrite = label === '' ? '' : `label="${label}"`;
  if (name === 'parent') return `<parent ${rewrite}/>`;
  return name === 'any' ? '<any-child/>' : `<child name="${name}" ${rewrite}/>`;
};
const textOf = ({ servers, clients }: System): string =>
  [
    ...Object.entries(servers).map(
      ([name, { version: its, provides }]) => `<start name="${name}" version="${its}"> <binary name="server"/>
        <provides> ${provides ? '<service name="Store"/>' : ''} </provides> <config tag="${name}"/> </start>`,
    ),
    ...Object.entries(clients).map(
      ([
        name,
        { version: its, targets, label, ram },
      ]) => `<start name="${name}" version="${its}" ram="${ram}M">
        <binary name="client"/> <route> <service name="Store"> ${targets.map((to) => targetText(to, label)).join('')} </service>
        <any-service> <parent/> </any-service> </route> </start>`,
    ),
  ].join('\n');

/**
 * The clients stay whatever becomes of their sessions, so what they had is seen by their servers.
 */
function cast() {
  const open = new Set<string>();
  const server = component({ provides: [Store] }, (env) => {
    const tag = env.config.node.value('tag');
    env.provide(Store, ({ label }) => {
      const name = `${tag}<${label}>`;
      open.add(name);
      return { read: () => name, [Symbol.dispose]: () => void open.delete(name) };
    });
  });
  const client = component({}, async (env) => {
    await env.connect(Store).catch(() => {});
  });
  return { open, components: { server, client } };
}

/** Waits until nothing changes any more. */
async function settled(it: Laboratory, open: ReadonlySet<string>): Promise<void> {
  let last = '';
  for (let same = 0; same < 5; ) {
    const now = it.children() + [...open].toSorted().join();
    same = now === last && !/incomplete|restarting/.test(now) ? same + 1 : 0;
    last = now;
    await it.env.timer.sleep(2);
  }
  await it.conserved();
}

const numbers = (it: Laboratory): Map<string, number> =>
  new Map(it.sandbox.state.map(({ name, id }) => [name, id]));

/**
 * Checks the property with some random pairs; it throws for a pair that does not have it, which is
 * made smaller first unless `endOnFailure` says not to.
 */
export async function checkConfigPairs(endOnFailure: boolean): Promise<void> {
  await fc.assert(
    fc.asyncProperty(pair, async ([first, second]) => {
      const [changed, fresh] = [cast(), cast()];
      let stuck: string[] = [];
      let after = '';
      let kept: readonly string[] = [];
      await laboratory(changed.components, async (it) => {
        await it.apply(textOf(first));
        await settled(it, changed.open);
        const before = numbers(it);
        const plan = planChanges(it.sandbox.existing(), readSystem(textOf(second)));
        await it.apply(textOf(second));
        await settled(it, changed.open);
        const anew = plan.filter(({ kind }) => kind === 'start' || kind === 'restart').map(nameOf);
        const found = [...numbers(it)].filter(([name, id]) => before.get(name) !== id).map(([name]) => name);
        expect(found.toSorted()).toEqual(anew.toSorted());
        stuck = it.sandbox.state.filter(({ state }) => state === 'stuck').map(({ name }) => name);
        expect(stuck.toSorted()).toEqual(
          plan
            .filter(({ kind }) => kind === 'stuck')
            .map(nameOf)
            .toSorted(),
        );
        // Applied once more, it changes nothing.
        expect(planChanges(it.sandbox.existing(), readSystem(textOf(second)))).toEqual([]);
        after = it.sandbox.state.map(({ name }) => name).join();
        // Now: the sessions end with the system.
        kept = [...changed.open];
      });
      await laboratory(fresh.components, async (it) => {
        await it.apply(textOf(second));
        await settled(it, fresh.open);
        expect(after).toBe(it.sandbox.state.map(({ name }) => name).join());
        // A client that was denied before stays without its session, because it had none to lose.
        expect([...fresh.open]).toEqual(expect.arrayContaining([...kept]));
        // A stuck client has no session, and neither has a fresh one.
        for (const name of stuck) expect([...fresh.open].join()).not.toContain(`<${name} -> `);
      });
    }),
    { numRuns: RUNS, endOnFailure },
  );
}
