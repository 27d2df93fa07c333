/**
 * A platform for tests: every component in the test's own thread, joined by queues. Its carriers either share memory
 * or copy everything, as if over a wire; what passes on both keeps to the interface.
 */
import type { Component } from '@ginit/core';
import type { Carrier, SharedMemory } from '@ginit/core/channel/carrier';
import { ComponentRuntime } from '@ginit/core/runtime/component-runtime';
import type { HostAccess } from '@ginit/core/runtime/host-access';
import type {
  ComponentEnd,
  ComponentSpecification,
  Platform,
  PlatformComponent,
} from '@ginit/core/supervisor/platform';

/** How two components are joined. */
export type CarrierKind = 'shared' | 'copying';

interface End {
  carrier: Carrier;
  handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  closed: () => void;
  readonly early: { frame: Uint8Array; memory: SharedMemory }[];
}

/** Two ends of a carrier within one thread; a frame arrives in a later turn, as a copy. */
export function carrierPair(kind: CarrierKind): [Carrier, Carrier] {
  let closed = false;
  const ends: End[] = [];
  const make = (own: number): Carrier => ({
    sharesMemory: kind === 'shared',
    send(frame, memory) {
      if (kind === 'copying' && memory.length > 0) throw new Error('memory on a carrier that shares none');
      const copy = frame.slice();
      const other = ends[1 - own];
      setImmediate(() => {
        if (closed || !other) return;
        if (other.handler) other.handler(copy, memory);
        else other.early.push({ frame: copy, memory });
      });
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

const NO_HOST: HostAccess = {
  openFile: () => Promise.reject(new Error('the in-process platform grants nothing of the host')),
};

interface Running {
  readonly runtime: ComponentRuntime;
  readonly end: (end: ComponentEnd) => void;
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
  readonly #host: HostAccess;

  /** `components` by module URL. */
  constructor(kind: CarrierKind, components: ReadonlyMap<string, Component>, host: HostAccess = NO_HOST) {
    this.#kind = kind;
    this.#components = components;
    this.#host = host;
  }

  start(specification: ComponentSpecification, ended: (end: ComponentEnd) => void): PlatformComponent {
    const { id, label, moduleUrl } = specification;
    const component = this.#components.get(moduleUrl);
    if (!component) throw new Error(`no component ${moduleUrl}`);
    const [core, own] = carrierPair('copying');
    const end = (how: ComponentEnd): void => {
      if (!this.#running.delete(id)) return;
      core.close();
      ended(how);
    };
    const runtime = new ComponentRuntime(component, own, {
      schedule: queueMicrotask,
      delay: (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref()),
      crash: (error) => setImmediate(() => end({ crashed: true, reason: String(error), culprit: true })),
      complain: (text) => this.complaints.push(`[${label}] ${text}`),
      host: this.#host,
    });
    this.#running.set(id, { runtime, end });
    this.#labels.set(label, id);
    return {
      placement: { kind: 'thread', domain: 'test', pid: process.pid },
      core,
      kill: async () => end({ crashed: false, reason: 'killed', culprit: true }),
    };
  }

  /** Ends a component as a crash would. */
  crash(label: string): void {
    const id = this.#labels.get(label);
    const running = id === undefined ? undefined : this.#running.get(id);
    running?.end({ crashed: true, reason: 'crashed by the test', culprit: true });
  }

  connect(first: number, second: number): void {
    const [a, b] = carrierPair(this.#kind);
    this.#running.get(first)?.runtime.addChannel(second, a);
    this.#running.get(second)?.runtime.addChannel(first, b);
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

  async writeLog(line: string): Promise<void> {
    this.lines.push(line);
  }
}
