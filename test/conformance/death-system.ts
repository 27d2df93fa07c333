/**
 * The system in which the kill tests let a component die: a client that does everything that two
 * components can do with each other, a server behind a mediator, and the owner of an object that
 * the client hands to the server.
 */
import {
  type Capability,
  capability,
  component,
  type Env,
  integer,
  Packet,
  PacketRequests,
  packetStream,
  rpc,
  rpcInterface,
  RpcError,
  session,
  type Session,
  text,
} from '@ginit/core';
import { type CarrierKind, type InProcessSystem, startSystem } from '../harness/in-process-system.ts';

const Thing = rpcInterface('Thing', { poke: rpc<() => number>({ args: [], result: integer() }) });
type ThingCapability = Capability<typeof Thing>;

const Vault = session('Vault', {
  thing: rpc<() => ThingCapability>({ args: [], result: capability(Thing) }),
});

const Shop = session('Shop', {
  greet: rpc<(name: string) => string>({ args: [text(64)], result: text(64) }),
  use: rpc<(thing: ThingCapability, times: number) => number>({
    args: [capability(Thing), integer(0, 100)],
    result: integer(),
  }),
  /** Gives the caller back a capability that it does not own. */
  lend: rpc<(thing: ThingCapability) => ThingCapability>({
    args: [capability(Thing)],
    result: capability(Thing),
  }),
  tx: packetStream('tx', {
    queueSlots: 8,
    defaultBulkBytes: 16_384,
    alignLog2: 6,
    payloadDirection: { submitBytes: (packet) => packet.size, acknowledgeBytes: () => 0 },
  }),
});

const PACKETS = 20;

/** A record of a run. */
export interface Diary {
  /** The result of each of the client's steps: `ok`, or the error's code. */
  readonly steps: Map<string, string>;
  /** Calls that have not settled, by the component that made them. */
  readonly open: Map<string, number>;
  done: boolean;
}

function emptyDiary(): Diary {
  return { steps: new Map(), open: new Map(), done: false };
}

async function tracked<T>(diary: Diary, who: string, promise: Promise<T>): Promise<T> {
  diary.open.set(who, (diary.open.get(who) ?? 0) + 1);
  try {
    return await promise;
  } finally {
    diary.open.set(who, (diary.open.get(who) ?? 0) - 1);
  }
}

const owner = component({ provides: [Vault] }, (env) => {
  env.provide(Vault, () => {
    let pokes = 0;
    const thing = { poke: () => ++pokes };
    return { thing: () => env.capability(Thing, thing), [Symbol.dispose]: () => env.revoke(thing) };
  });
});

const serverOf = (diary: Diary) =>
  component({ provides: [Shop] }, (env) => {
    env.provide(Shop, async ({ streams }) => {
      // The opener takes its time, so that a component may die meanwhile.
      await env.quota();
      streams.tx
        .then((sink) => {
          const packet = new Packet();
          sink.onWake(() => {
            while (sink.next(packet)) sink.acknowledge(packet);
            sink.wakeup();
          });
        })
        .catch(() => {});
      const use = async (thing: ThingCapability, times: number): Promise<number> => {
        using held = thing;
        let last = 0;
        for (let time = 0; time < times; time++) last = await tracked(diary, 'server', held.poke());
        return last;
      };
      return { greet: (name) => `hello ${name}`, use, lend: (thing) => thing };
    });
  });

const mediator = component({ provides: [Shop], requires: [Shop] }, (env) => {
  env.provide(Shop, ({ label, args, ram, caps }) =>
    env.request(Shop, { label: label.last, args, donation: { ram, caps } }),
  );
});

/** Everything that a client does; no step waits for one that failed, and nothing is left open. */
class ClientRun {
  readonly #env: Env;
  readonly #diary: Diary;

  constructor(env: Env, diary: Diary) {
    this.#env = env;
    this.#diary = diary;
  }

  async run(): Promise<void> {
    const env = this.#env;
    const vault = await this.#step('open vault', () => env.connect(Vault));
    const thing = vault && (await this.#step('get thing', () => vault.thing()));
    const shop = await this.#step('open shop', () => env.connect(Shop, { label: 'front' }));
    if (shop) {
      await this.#step('greet', () => shop.greet('you'));
      if (thing) await this.#things(shop, thing);
      await this.#step('packets', () => this.#packets(shop));
      await this.#step('upgrade', () => env.upgrade(shop, { ram: 1000, caps: 1 }));
      await this.#step('close shop', () => env.close(shop));
    }
    thing?.[Symbol.dispose]();
    if (vault) await this.#step('close vault', () => env.close(vault));
    const again = await this.#step('open again', () => env.connect(Vault));
    if (again) await this.#step('close again', () => env.close(again));
    this.#diary.done = true;
  }

  async #things(shop: Session<typeof Shop>, thing: ThingCapability): Promise<void> {
    await this.#step('hand over', () => shop.use(thing, 3));
    await this.#step('hand over side by side', () => Promise.all([shop.use(thing, 1), shop.use(thing, 2)]));
    const lent = await this.#step('lend', () => shop.lend(thing));
    if (!lent) return;
    const used = this.#step('hand over and release', () => shop.use(lent, 1));
    lent[Symbol.dispose]();
    await used;
  }

  async #packets(shop: Session<typeof Shop>): Promise<void> {
    const requests = new PacketRequests(shop.tx, {
      closedError: (closure) => new RpcError('PeerGone', closure),
    });
    const sent = Array.from({ length: PACKETS }, (_, number) =>
      requests.perform(
        4096,
        (packet, payload) => {
          packet.position = number;
          payload.fill(number);
        },
        () => {},
      ),
    );
    await Promise.all(sent);
  }

  async #step<T>(name: string, step: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await tracked(this.#diary, 'client', step());
      this.#diary.steps.set(name, 'ok');
      return result;
    } catch (error) {
      this.#diary.steps.set(name, error instanceof RpcError ? error.code : String(error));
      return undefined;
    }
  }
}

const START = `
  <start name="owner"> <provides> <service name="Vault"/> </provides> </start>
  <start name="server"> <provides> <service name="Shop"/> </provides> </start>
  <start name="mediator"> <provides> <service name="Shop"/> </provides>
    <route> <service name="Shop"> <child name="server"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="client">
    <route> <service name="Shop"> <child name="mediator"/> </service>
      <any-service> <parent/> <any-child/> </any-service> </route>
  </start>`;

/** The components that may die, by the name of the start node. */
export const MORTALS = ['client', 'server', 'mediator', 'owner'] as const;

/** Starts the system; the client does its work once. */
export function startDeathSystem(kind: CarrierKind): { system: InProcessSystem; diary: Diary } {
  const diary = emptyDiary();
  const client = component({}, (env) => new ClientRun(env, diary).run());
  const system = startSystem(kind, { owner, server: serverOf(diary), mediator, client }, START);
  return { system, diary };
}
