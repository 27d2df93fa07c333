/**
 * For tests of channels against hostile peers: a peer that sends whatever bytes it likes, and a component with an honest
 * neighbour for it to attack.
 */
import {
  type Capability,
  capability,
  integer,
  list,
  nothing,
  rpc,
  rpcInterface,
  type SignalCapability,
  signal,
  text,
} from '../src/index.ts';
import { capabilityFor } from '../src/capability/capability.ts';
import type { Carrier, SharedMemory } from '../src/channel/carrier.ts';
import type { Channel } from '../src/channel/channel.ts';
import { StreamOffer } from '../src/channel/stream-link.ts';
import { decodeFrame, encodeFrame, type Entry, type Frame, type FrameKind } from '../src/channel/frame.ts';
import { encodeMessage } from '../src/channel/message.ts';
import { Entrypoint } from '../src/runtime/entrypoint.ts';
import { carrierPair } from './in-process-platform.ts';

export const VICTIM = 1;
export const HONEST = 2;
export const HOSTILE = 66;

/** The raw end of a carrier: frames are delivered at once, and what they make the victim throw is kept. */
export class RawPeer {
  readonly frames: Uint8Array[] = [];
  readonly thrown: unknown[] = [];
  closed = false;
  onFrame: (frame: Uint8Array) => void = () => {};
  readonly carrier: Carrier;
  #deliver: (frame: Uint8Array, memory: SharedMemory) => void = () => {};
  #tellClosed: () => void = () => {};

  constructor(sharesMemory: boolean) {
    this.carrier = {
      sharesMemory,
      send: (frame) => {
        if (this.closed) return;
        this.frames.push(frame);
        this.onFrame(frame);
      },
      receive: (handler) => {
        this.#deliver = handler;
      },
      closed: (handler) => {
        this.#tellClosed = handler;
      },
      close: () => {
        this.closed = true;
      },
    };
  }

  send(bytes: Uint8Array, memory: SharedMemory = []): void {
    if (this.closed) return;
    try {
      this.#deliver(bytes, memory);
    } catch (error) {
      this.thrown.push(error);
    }
  }

  frame(
    kind: FrameKind,
    words: { first?: number; second?: number; third?: number } = {},
    payload?: Uint8Array,
    entries?: readonly Entry[],
  ): void {
    this.send(encodeFrame(kind, words, payload, entries));
  }

  /** The frames that the victim has sent, of one kind. */
  received(kind: FrameKind): Frame[] {
    return this.frames.map(decodeFrame).filter((frame): frame is Frame => {
      return typeof frame !== 'string' && frame.kind === kind;
    });
  }

  die(): void {
    this.closed = true;
    this.#tellClosed();
  }
}

/** A plain value as a message's payload. */
export function payloadOf(value: unknown): Uint8Array {
  const refuse = (): never => {
    throw new Error('plain values only');
  };
  const table = { addReference: refuse, addDataspace: refuse, addStream: refuse };
  return Uint8Array.from(encodeMessage(value, table));
}

export const Thing = rpcInterface('Thing', { poke: rpc<() => number>({ args: [], result: integer() }) });
export type ThingCapability = Capability<typeof Thing>;

/** What the victim offers to both of its peers. */
export const Target = rpcInterface('Target', {
  echo: rpc<(words: string) => string>({ args: [text(100)], result: text(100) }),
  sum: rpc<(values: number[]) => number>({ args: [list(integer(), 100)], result: integer() }),
  any: rpc<(value: unknown) => unknown>(),
  later: rpc<() => number>({ args: [], result: integer() }),
  never: rpc<() => void>({ args: [], result: nothing }),
  thing: rpc<() => ThingCapability>({ args: [], result: capability(Thing) }),
  borrowed: rpc<() => ThingCapability>({ args: [], result: capability(Thing) }),
  keep: rpc<(thing: ThingCapability) => void>({ args: [capability(Thing)], result: nothing }),
  giveBack: rpc<(thing: ThingCapability) => ThingCapability>({
    args: [capability(Thing)],
    result: capability(Thing),
  }),
  wake: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
  streams: rpc<() => unknown>(),
});

/** A component under attack, its honest neighbour, and everything that can be looked at. */
export interface Scene {
  readonly peer: RawPeer;
  readonly victim: Entrypoint;
  readonly channel: Channel;
  readonly reports: unknown[];
  readonly violations: { peer: number; what: string }[];
  readonly introductions: number;
  /** The hostile peer's object 0, as the victim sees it. */
  readonly remote: ThingCapability;
  /** Calls the victim over the honest channel. */
  honest(): Promise<string>;
  /** Capabilities that the victim kept. */
  readonly kept: ThingCapability[];
}

function implement(scene: { victim: Entrypoint; kept: ThingCapability[]; borrowed: () => ThingCapability }) {
  return {
    echo: (words: string) => words,
    sum: (values: number[]) => values.reduce((total, value) => total + value, 0),
    any: (value: unknown) => value,
    later: async () => {
      await Promise.resolve();
      return 5;
    },
    never: () => new Promise<void>(() => {}),
    thing: () => scene.victim.export(Thing, { poke: () => 1 }),
    borrowed: () => scene.borrowed(),
    keep: (thing: ThingCapability) => {
      if (scene.kept.length < 100) scene.kept.push(thing);
      else thing[Symbol.dispose]();
      thing.poke().catch(() => {});
    },
    giveBack: (thing: ThingCapability) => thing,
    wake: (handler: SignalCapability) => {
      handler.submit();
      handler[Symbol.dispose]();
    },
    streams: () => ({ tx: new StreamOffer(4096, () => {}) }),
  };
}

/** Sets the scene. */
export function attack(sharesMemory = false): Scene {
  const reports: unknown[] = [];
  const violations: { peer: number; what: string }[] = [];
  const kept: ThingCapability[] = [];
  let introductions = 0;
  const victim = new Entrypoint({
    schedule: queueMicrotask,
    report: (error) => reports.push(error),
    introduce: async () => void introductions++,
    violation: (peer, what) => violations.push({ peer, what }),
  });
  const honest = new Entrypoint({
    schedule: queueMicrotask,
    report: (error) => reports.push(error),
    introduce: async () => {},
  });
  const honestThing = honest.exportObject(Thing, { poke: () => 2 });
  const [ours, theirs] = carrierPair(sharesMemory ? 'shared' : 'copying');
  const borrowed = (): ThingCapability => capabilityFor(Thing, honestChannel.import(0));
  const target = victim.exportObject(Target, implement({ victim, kept, borrowed }));
  const honestChannel = victim.addChannel(HONEST, ours, target);
  const peer = new RawPeer(sharesMemory);
  const channel = victim.addChannel(HOSTILE, peer.carrier, target);
  const access = capabilityFor(Target, honest.addChannel(VICTIM, theirs, honestThing).import(0));
  const remote = capabilityFor(Thing, channel.import(0));
  return {
    peer,
    victim,
    channel,
    reports,
    violations,
    remote,
    kept,
    get introductions() {
      return introductions;
    },
    honest: () => access.echo('hello'),
  };
}

/** Lets everything that is under way come to rest. */
export async function settled(turns = 3): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
