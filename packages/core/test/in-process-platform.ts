/**
 * A platform for tests: every component in the test's own thread, joined by queues. Its carriers either share memory
 * or copy everything, as if over a wire; what passes on both keeps to the interface.
 */
import type { Component } from '@ginit/core';
import { visibleLines } from '../src/log-text.ts';
import type { Carrier, SharedMemory } from '../src/channel/carrier.ts';
import type { Census } from '../src/runtime/entrypoint.ts';
import { ComponentRuntime } from '../src/runtime/component-runtime.ts';
import type { HostPlatform } from '../src/runtime/host-access.ts';
import type {
  ComponentEnd,
  ComponentSpecification,
  Platform,
  PlatformComponent,
} from '../src/supervisor/platform.ts';
import { RING_BYTES } from '../src/platform/wire/channel-memory.ts';
import { ringCarriers } from './ring-carriers.ts';
import { SHARES_ALL, SHARES_NONE } from '../src/memory/shared-memory.ts';

/** How two components are joined. */
export type CarrierKind = 'shared' | 'copying' | 'tiny rings' | 'rings';

/** Bytes of a tiny ring: a record holds 56 of them. */
const TINY_RING_BYTES = 256;

interface End {
  carrier: Carrier;
  handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  closed: () => void;
  readonly early: { frame: Uint8Array; memory: SharedMemory }[];
}

/** Two ends of a carrier within one thread; a frame arrives in a later turn, as a copy. */
export function carrierPair(kind: CarrierKind): [Carrier, Carrier] {
  if (kind === 'tiny rings') return ringCarriers(TINY_RING_BYTES);
  if (kind === 'rings') return ringCarriers(RING_BYTES);
  let closed = false;
  const ends: End[] = [];
  const make = (own: number): Carrier => ({
    sharing: kind === 'shared' ? SHARES_ALL : SHARES_NONE,
    send(frame, memory) {
      if (kind === 'copying' && memory.length > 0) throw new Error('memory on a carrier that shares none');
      const copy = frame.slice();
      const other = ends[1 - own];
      setImmediate(() => {
        if (closed || !other) return;
        if (other.handler) other.handler(copy, memory);
        else other.early.push({ frame: copy, memory });
      });
      return false;
    },
    receive(handler) {
      const end = ends[own];
      if (!end) return;
      end.handler = handler;
      for (const { frame, memory } of end.early.splice(0)) handler(frame, memory);
    },
    closed(handler) {
      const end = ends[own];
      if (end) end.closed = handler;
    },
    close() {
      if (closed) return;
      closed = true;
      setImmediate(() => ends[1 - own]?.closed());
    },
  });
  for (const own of [0, 1])
    ends.push({ carrier: make(own), handler: undefined, closed: () => {}, early: [] });
  const [first, second] = ends;
  if (!first || !second) throw new Error('unreachable');
  return [first.carrier, second.carrier];
}

function noHost(): HostPlatform {
  throw new Error('the in-process platform has nothing of the host');
}

interface Running {
  readonly runtime: ComponentRuntime;
  readonly end: (end: ComponentEnd) => void;
  /** Its ends of the carriers to its peers. */
  readonly carriers: Carrier[];
}

/**
 * A death to be died: the component with this label is killed when it has sent and received so many frames, in the
 * middle of whatever that frame brought about. What it had sent may still arrive, or be lost with it.
 */
export interface Death {
  readonly label: string;
  readonly afterFrames: number;
  readonly underWay: 'delivered' | 'lost';
}

/** Runs components in this thread. */
export class InProcessPlatform implements Platform {
  /** What components have logged, as `[label] text`. */
  readonly lines: string[] = [];
  readonly complaints: string[] = [];
  readonly #kind: CarrierKind;
  readonly #components: ReadonlyMap<string, Component>;
  readonly #running = new Map<number, Running>();
  readonly #labels = new Map<string, number>();
  readonly #host: () => HostPlatform;
  /** The next death; reset when it has been died. */
  death: Death | undefined;
  /** Frames sent and received so far, by label. */
  readonly frames = new Map<string, number>();
  /** Ids of those that have died so. */
  readonly dead = new Set<number>();

  /** `components` by module URL. */
  constructor(
    kind: CarrierKind,
    components: ReadonlyMap<string, Component>,
    host: () => HostPlatform = noHost,
  ) {
    this.#kind = kind;
    this.#components = components;
    this.#host = host;
  }

  start(specification: ComponentSpecification, ended: (end: ComponentEnd) => void): PlatformComponent {
    const { id, label, moduleUrl, grants } = specification;
    const component = this.#components.get(moduleUrl);
    if (!component) throw new Error(`no component ${moduleUrl}`);
    const [supervisor, far] = carrierPair('copying');
    const own = this.#counted(id, label, far);
    const end = (how: ComponentEnd): void => {
      if (!this.#running.delete(id)) return;
      supervisor.close();
      ended(how);
    };
    const runtime = new ComponentRuntime(component, own, {
      schedule: queueMicrotask,
      delay: (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref()),
      crash: (error) => setImmediate(() => end({ crashed: true, reason: String(error), culprit: true })),
      complain: (text) => this.complaints.push(`[${label}] ${text}`),
      host: { grants, platform: this.#host },
    });
    this.#running.set(id, { runtime, end, carriers: [] });
    this.#labels.set(label, id);
    return {
      placement: { kind: 'thread', domain: 'test', pid: process.pid },
      supervisor,
      kill: async () => end({ crashed: false, reason: 'killed', culprit: true }),
    };
  }

  /** What a live component holds of others and they of it. */
  census(label: string): Census | undefined {
    const id = this.#labels.get(label);
    return id === undefined ? undefined : this.#running.get(id)?.runtime.census();
  }

  /** Ends a component as a crash would. */
  crash(label: string): void {
    const id = this.#labels.get(label);
    const running = id === undefined ? undefined : this.#running.get(id);
    running?.end({ crashed: true, reason: 'crashed by the test', culprit: true });
  }

  /** Ends a component whose channels are closed some time before core hears of its end. */
  crashUnheard(label: string, heardAfterMs: number): void {
    const id = this.#labels.get(label);
    const running = id === undefined ? undefined : this.#running.get(id);
    for (const carrier of running?.carriers ?? []) carrier.close();
    setTimeout(
      () => running?.end({ crashed: true, reason: 'crashed by the test', culprit: true }),
      heardAfterMs,
    );
  }

  connect(first: number, second: number): void {
    const [a, b] = carrierPair(this.#kind);
    this.#join(first, second, a);
    this.#join(second, first, b);
  }

  #join(id: number, peer: number, carrier: Carrier): void {
    const running = this.#running.get(id);
    if (!running) return carrier.close();
    running.carriers.push(carrier);
    const label = [...this.#labels].find(([, candidate]) => candidate === id)?.[0] ?? '';
    running.runtime.addChannel(peer, this.#counted(id, label, carrier));
  }

  /** The component's end of a carrier: nothing passes once it is dead, and each frame may be its last. */
  #counted(id: number, label: string, carrier: Carrier): Carrier {
    return {
      sharing: carrier.sharing,
      send: (frame, memory, left) => {
        if (this.dead.has(id)) return false;
        const waits = carrier.send(frame, memory, left);
        this.#count(id, label);
        return waits;
      },
      receive: (handler) =>
        carrier.receive((frame, memory) => {
          if (this.dead.has(id)) return;
          handler(frame, memory);
          this.#count(id, label);
        }),
      closed: (handler) =>
        carrier.closed(() => {
          if (!this.dead.has(id)) handler();
        }),
      close: () => {
        if (!this.dead.has(id)) carrier.close();
      },
    };
  }

  #count(id: number, label: string): void {
    const frames = (this.frames.get(label) ?? 0) + 1;
    this.frames.set(label, frames);
    if (this.death?.label !== label || frames < this.death.afterFrames) return;
    const { underWay } = this.death;
    this.death = undefined;
    this.dead.add(id);
    const running = this.#running.get(id);
    if (underWay === 'lost') for (const carrier of running?.carriers ?? []) carrier.close();
    setImmediate(() => running?.end({ crashed: true, reason: 'killed by the test', culprit: true }));
  }

  schedule(turn: () => void): void {
    queueMicrotask(turn);
  }

  monotonicUs(): number {
    return Math.floor(performance.now() * 1000);
  }

  wallClockMs(): number {
    return Date.now();
  }

  after(us: number, handler: () => void): () => void {
    const timer = setTimeout(handler, us / 1000);
    return () => clearTimeout(timer);
  }

  async writeLog(text: string, prefix: string): Promise<void> {
    this.lines.push(...visibleLines(text, prefix));
  }
}
