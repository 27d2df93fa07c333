/**
 * Tests random call graphs: components that call each other in circles, hand each other's
 * capabilities on, release and revoke them, all side by side, while the supervisor works on one
 * introduction for each owner at a time. Every call settles, and when everything is released nobody
 * holds anything any more.
 */
import {
  type Capability,
  capability,
  component,
  type Env,
  integer,
  nothing,
  rpc,
  rpcInterface,
  RpcError,
  session,
} from '@ginit/core';
import { LIMITS } from '@ginit/core/system';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CarrierKind, finish, type InProcessSystem, startSystem } from '../harness/in-process-system.ts';

const NODES = ['a', 'b', 'c', 'd'] as const;
const BOUND_MS = 5000;
/** The errors that may end a call, because the capability may have been revoked meanwhile. */
const ENDINGS = ['Revoked'];

const Thing = rpcInterface('Thing', {
  poke: rpc<(depth: number) => number>({ args: [integer(0, 10)], result: integer() }),
});
type ThingCapability = Capability<typeof Thing>;

const Walker = session('Walker', {
  /**
   * Does a few random things, `depth` calls deep. The result is the number of calls that were made.
   */
  walk: rpc<(seed: number, depth: number) => number>({
    args: [integer(), integer(0, 10)],
    result: integer(),
  }),
  take: rpc<(thing: ThingCapability) => void>({ args: [capability(Thing)], result: nothing }),
  give: rpc<() => ThingCapability>({ args: [], result: capability(Thing) }),
  /** Gives a capability straight back, perhaps before it has been introduced. */
  reflect: rpc<(thing: ThingCapability) => ThingCapability>({
    args: [capability(Thing)],
    result: capability(Thing),
  }),
  clear: rpc<() => void>({ args: [], result: nothing }),
});
type WalkerCapability = Capability<typeof Walker>;

/**
 * Random numbers from a seed: a linear congruential generator, of which only the upper bits are
 * used.
 */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}

/** One component of the graph. */
class WalkerNode {
  readonly #env: Env;
  readonly #failures: string[];
  readonly #others: WalkerCapability[] = [];
  #held: ThingCapability[] = [];
  #own: { poke(depth: number): Promise<number> } | undefined;

  constructor(env: Env, failures: string[]) {
    this.#env = env;
    this.#failures = failures;
  }

  join(other: WalkerCapability): void {
    this.#others.push(other);
  }

  async walk(seed: number, depth: number): Promise<number> {
    const pick = random(seed);
    const steps = Array.from({ length: 1 + pick(3) }, () => this.#step(pick, depth));
    const made = await Promise.all(steps);
    return made.reduce((total, calls) => total + calls, 1);
  }

  take(thing: ThingCapability): void {
    this.#held.push(thing);
  }

  give(): ThingCapability {
    this.#own ??= { poke: (depth) => this.walk(depth * 7919, depth) };
    return this.#env.capability(Thing, this.#own);
  }

  clear(): void {
    for (const thing of this.#held.splice(0)) thing[Symbol.dispose]();
    this.#revoke();
  }

  async #step(pick: (below: number) => number, depth: number): Promise<number> {
    const other = this.#others[pick(this.#others.length)];
    const thing = this.#held[pick(this.#held.length + 1)];
    if (!other || depth === 0) return 0;
    const seed = pick(2 ** 30);
    try {
      switch (pick(8)) {
        case 0:
          this.#revoke();
          return 0;
        case 1:
          this.#held = this.#held.filter((candidate) => candidate !== thing);
          thing?.[Symbol.dispose]();
          return 0;
        case 2:
          this.take(await other.give());
          return 1;
        case 3:
          await other.take(thing ?? this.give());
          return 1;
        case 4:
          this.take(await other.reflect(thing ?? this.give()));
          return 1;
        case 5:
          return thing ? await thing.poke(depth - 1) : 0;
        default:
          return await other.walk(seed, depth - 1);
      }
    } catch (error) {
      const code = error instanceof RpcError ? error.code : String(error);
      if (!ENDINGS.includes(code)) this.#failures.push(String(error));
      return 0;
    }
  }

  #revoke(): void {
    if (this.#own) this.#env.revoke(this.#own);
    this.#own = undefined;
  }
}

const ROUTES = NODES.map(
  (name) => `<service name="Walker" label_last="${name}"> <child name="${name}"/> </service>`,
).join('');
const START = NODES.map(
  (name) => `<start name="${name}"> <binary name="walker"/> <provides> <service name="Walker"/> </provides>
    <route> ${ROUTES} <any-service> <parent/> </any-service> </route> </start>`,
).join('');

interface Graph {
  readonly system: InProcessSystem;
  readonly nodes: readonly WalkerNode[];
  readonly failures: string[];
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} does not settle`)), BOUND_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function graph(kind: CarrierKind): Promise<Graph> {
  const failures: string[] = [];
  const nodes: WalkerNode[] = [];
  const walker = component({ provides: [Walker] }, async (env) => {
    const node = new WalkerNode(env, failures);
    env.provide(Walker, () => ({
      walk: (seed, depth) => node.walk(seed, depth),
      take: (thing) => node.take(thing),
      give: () => node.give(),
      reflect: (thing) => {
        // The caller gets a copy of the capability, so this one can be released at once.
        queueMicrotask(() => thing[Symbol.dispose]());
        return thing;
      },
      clear: () => node.clear(),
    }));
    for (const name of NODES) node.join(await env.connect(Walker, { label: name }));
    nodes.push(node);
  });
  const system = startSystem(kind, { walker }, START);
  await expect.poll(() => nodes.length, { timeout: BOUND_MS, interval: 2 }).toBe(NODES.length);
  return { system, nodes, failures };
}

async function rest(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/**
 * The objects that each component holds of others, and others of it; the open calls and
 * introductions.
 */
function held({ supervisor, platform }: InProcessSystem): Record<string, readonly number[]> {
  const core = supervisor.census();
  const all = [['core', core], ...core.live.map((label) => [label, platform.census(label)])] as const;
  const sums = all.map(([label, census]) => {
    const { channels, introductions } = typeof census === 'object' ? census : core;
    const sum = (what: 'exports' | 'imports' | 'calls'): number =>
      channels.reduce((total, channel) => total + channel[what], 0);
    return [String(label), [sum('exports'), sum('imports'), sum('calls'), introductions]] as const;
  });
  return Object.fromEntries(sums);
}

test('every call of a random graph settles, and nothing is left', { timeout: 120_000 }, async () => {
  // With one introduction at a time, handing over has to queue.
  Object.assign(LIMITS, { introductionsAtCore: 1 });
  const property = fc.asyncProperty(
    fc.constantFrom<CarrierKind>('shared', 'copying', 'tiny rings'),
    fc.array(
      fc.record({ node: fc.nat(NODES.length - 1), seed: fc.nat(), depth: fc.integer({ min: 1, max: 6 }) }),
      {
        minLength: 1,
        maxLength: 10,
      },
    ),
    async (kind, walks) => {
      const { system, nodes, failures } = await graph(kind);
      await rest();
      const before = held(system);
      const walking = walks.map(({ node, seed, depth }) => nodes[node]?.walk(seed, depth));
      await within(Promise.all(walking), 'a walk');
      await rest();
      for (const node of nodes) node.clear();
      await rest();
      expect(failures).toEqual([]);
      expect(held(system)).toEqual(before);
      system.supervisor.end({ kind: 'exit', code: 0 });
      await finish(system);
    },
  );
  await fc.assert(property, { numRuns: 200 });
});
