/**
 * For tests of channels against hostile peers: a peer that sends whatever bytes it likes, and a
 * component with an honest neighbour for it to attack.
 */
import {
  type Capability,
  capability,
  integer,
  list,
  nothing,
  rpc,
  rpcInterface,
  type Dataspace,
  dataspace,
  type SignalCapability,
  signal,
  text,
} from '../src/index.ts';
import { capabilityFor } from '../src/capability/capability.ts';
import type { ExportedObject } from '../src/capability/exported-object.ts';
import { OPEN_OPERATION } from '../src/capability/open-operation.ts';
import type { Carrier, SharedMemory } from '../src/channel/carrier.ts';
import type { Channel } from '../src/channel/channel.ts';
import { StreamOffer } from '../src/channel/stream-link.ts';
import { type Entry, finishFrame, type FrameKind, IncomingFrame } from '../src/channel/frame.ts';
import { type OperationPlan, plansOf } from '../src/interface/operation.ts';
import { writeValue } from '../src/message/value.ts';
import { giveBackWriter, type MessageWriter, takeWriter } from '../src/message/writer.ts';
import { Entrypoint } from '../src/runtime/entrypoint.ts';
import { carrierPair } from './in-process-platform.ts';
import { SHARES_ALL, SHARES_NONE } from '../src/memory/shared-memory.ts';

export const VICTIM = 1;
export const HONEST = 2;
export const HOSTILE = 66;

/** The words of a frame's header. */
export interface Words {
  readonly first?: number;
  readonly second?: number;
  readonly third?: number;
}

/** A frame that was received, as a copy. */
export interface Frame {
  readonly kind: FrameKind;
  readonly first: number;
  readonly second: number;
  readonly third: number;
  readonly payload: Uint8Array;
  readonly entries: readonly Entry[];
}

/** The bytes of a frame. */
export function frameOf(
  kind: FrameKind,
  { first = 0, second = 0, third = 0 }: Words = {},
  payload: Uint8Array = new Uint8Array(0),
  entries: readonly Entry[] = [],
): Uint8Array {
  const writer = takeWriter();
  try {
    writer.raw(payload);
    return finishFrame(writer, kind, first, second, third, entries).slice();
  } finally {
    giveBackWriter(writer);
  }
}

function opened(bytes: Uint8Array): Frame {
  const frame = new IncomingFrame();
  const fault = frame.open(bytes);
  if (fault) throw new Error(`the victim sent a broken frame: ${fault}`);
  const { kind, first, second, third, entries } = frame;
  return { kind, first, second, third, payload: frame.payload, entries };
}

/**
 * The raw end of a carrier: frames are delivered at once, and what they make the victim throw is
 * kept.
 */
export class RawPeer {
  readonly frames: Uint8Array[] = [];
  readonly thrown: unknown[] = [];
  closed = false;
  /** Whether what the victim sends has to wait for room, for ever unless `makeRoom` is called. */
  takesNothing = false;
  onFrame: (frame: Uint8Array) => void = () => {};
  readonly carrier: Carrier;
  readonly #waiting: ((() => void) | undefined)[] = [];
  #deliver: (frame: Uint8Array, memory: SharedMemory) => void = () => {};
  #tellClosed: () => void = () => {};

  constructor(sharesMemory: boolean) {
    this.carrier = {
      sharing: sharesMemory ? SHARES_ALL : SHARES_NONE,
      send: (frame, _, left) => this.#take(frame.slice(), left),
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

  #take(frame: Uint8Array, left: (() => void) | undefined): boolean {
    if (this.closed) return false;
    if (this.takesNothing) this.#waiting.push(left);
    else {
      this.frames.push(frame);
      this.onFrame(frame);
    }
    return this.takesNothing;
  }

  /** Lets the first `count` frames that wait leave. */
  makeRoom(count: number): void {
    for (const left of this.#waiting.splice(0, count)) left?.();
  }

  send(bytes: Uint8Array, memory: SharedMemory = []): void {
    if (this.closed) return;
    try {
      this.#deliver(bytes, memory);
    } catch (error) {
      this.thrown.push(error);
    }
  }

  frame(kind: FrameKind, words?: Words, payload?: Uint8Array, entries?: readonly Entry[]): void {
    this.send(frameOf(kind, words, payload, entries));
  }

  /** The frames that the victim has sent, of one kind. */
  received(kind: FrameKind): Frame[] {
    return this.frames.filter((frame) => frame[0] === kind).map(opened);
  }

  die(): void {
    this.closed = true;
    this.#tellClosed();
  }
}

/**
 * The bytes that `write` writes, as a message's payload. The peer makes up the table of what they
 * carry.
 */
export function payloadOf(write: (writer: MessageWriter) => void): Uint8Array {
  const writer = takeWriter(() => ({ add: () => false }));
  try {
    write(writer);
    return writer.payload().slice();
  } finally {
    giveBackWriter(writer);
  }
}

/** A plain value in msgpack, with its length in front. */
export function plain(value: unknown): Uint8Array {
  return payloadOf((writer) => writeValue(writer, value));
}

export const Thing = rpcInterface('Thing', { poke: rpc<() => number>({ args: [], result: integer() }) });
export type ThingCapability = Capability<typeof Thing>;

/** The objects that the victim offers to both of its peers. */
export const Target = rpcInterface('Target', {
  echo: rpc<(words: string) => string>({ args: [text(100)], result: text(100) }),
  sum: rpc<(values: number[]) => number>({ args: [list(integer(), 100)], result: integer() }),
  any: rpc<(value: unknown) => unknown>(),
  later: rpc<() => number>({ args: [], result: integer() }),
  never: rpc<() => void>({ args: [], result: nothing }),
  thing: rpc<() => ThingCapability>({ args: [], result: capability(Thing) }),
  borrowed: rpc<() => ThingCapability>({ args: [], result: capability(Thing) }),
  keep: rpc<(thing: ThingCapability) => void>({ args: [capability(Thing)], result: nothing }),
  pair: rpc<(first: ThingCapability, second: ThingCapability, words: string) => number>({
    args: [capability(Thing), capability(Thing), text(10)],
    result: integer(),
  }),
  keepAll: rpc<(things: ThingCapability[]) => void>({ args: [list(capability(Thing), 64)], result: nothing }),
  rom: rpc<(rom: Dataspace) => number>({ args: [dataspace], result: integer() }),
  giveBack: rpc<(thing: ThingCapability) => ThingCapability>({
    args: [capability(Thing)],
    result: capability(Thing),
  }),
  wake: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
});

/** How an operation of `Target` travels. */
export function operation(name: string): OperationPlan {
  if (name === '$open') return OPEN_OPERATION;
  const plan = plansOf(Target).byName.get(name) ?? plansOf(Thing).byName.get(name);
  if (!plan) throw new Error(`no operation ${name}`);
  return plan;
}

/** A component under attack, its honest neighbour, and everything that can be looked at. */
export interface Scene {
  readonly peer: RawPeer;
  readonly victim: Entrypoint;
  readonly channel: Channel;
  /** The objects that it offers. */
  readonly target: ExportedObject;
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
    pair: () => 2,
    keepAll: (things: ThingCapability[]) => void scene.kept.push(...things),
    rom: (rom: Dataspace) => rom.sizeBytes,
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
  target.open = () => ({ tx: new StreamOffer(4096, () => {}) });
  const honestChannel = victim.addChannel(HONEST, ours, target);
  const peer = new RawPeer(sharesMemory);
  const channel = victim.addChannel(HOSTILE, peer.carrier, target);
  const access = capabilityFor(Target, honest.addChannel(VICTIM, theirs, honestThing).import(0));
  const remote = capabilityFor(Thing, channel.import(0));
  return {
    peer,
    victim,
    channel,
    target,
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
