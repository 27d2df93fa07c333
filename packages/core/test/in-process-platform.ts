/**
 * The in-process platform for our own tests: its carriers either share memory or copy everything,
 * as if over a wire, or are real rings, or a link between two nodes; what passes on all of them
 * keeps to the interface. And components can be killed at any of their frames.
 */
import type { Component } from '@ginit/core';
import type { Carrier } from '../src/channel/carrier.ts';
import { RING_BYTES } from '../src/platform/wire/channel-memory.ts';
import type { HostPlatform } from '../src/runtime/host-access.ts';
import type { ComponentEnd } from '../src/supervisor/platform.ts';
import { inProcessCarriers } from '../src/testing/in-process-carriers.ts';
import { InProcessPlatform as PlainPlatform } from '../src/testing/in-process-platform.ts';
import { busCarriers } from './bus-carriers.ts';
import { ringCarriers } from './ring-carriers.ts';

/** How two components are joined. */
export type CarrierKind = 'shared' | 'copying' | 'tiny rings' | 'rings' | 'bus';

/** Bytes of a tiny ring: a record holds 56 of them. */
const TINY_RING_BYTES = 256;

/** Two ends of a carrier within one thread. */
export function carrierPair(kind: CarrierKind): [Carrier, Carrier] {
  if (kind === 'tiny rings') return ringCarriers(TINY_RING_BYTES);
  if (kind === 'rings') return ringCarriers(RING_BYTES);
  if (kind === 'bus') return busCarriers();
  return inProcessCarriers(kind);
}

/**
 * A death to be died: the component with this label is killed when it has sent and received so many
 * frames, in the middle of whatever that frame brought about. What it had sent may still arrive, or
 * be lost with it. Or it is killed when core has heard so many frames of it, and core hears of its
 * end in the same turn as of the last of them, as it does of all that comes in one piece over a
 * socket: what that frame set off goes on when the component is gone already.
 */
export interface Death {
  readonly label: string;
  readonly afterFrames: number;
  readonly underWay: 'delivered' | 'lost' | 'heard with the end';
}

const KILLED: ComponentEnd = { crashed: true, reason: 'killed by the test', culprit: true };

/** Runs components in this thread. */
export class InProcessPlatform extends PlainPlatform {
  /** The next death; reset when it has been died. */
  death: Death | undefined;
  /** Frames sent and received so far, by label. */
  readonly frames = new Map<string, number>();
  /** Frames that core has heard of each so far. */
  readonly heard = new Map<string, number>();
  /** Ids of those that have died so. */
  readonly dead = new Set<number>();

  /** `components` by module URL. */
  constructor(kind: CarrierKind, components: ReadonlyMap<string, Component>, host?: () => HostPlatform) {
    super({
      components,
      carriers: () => carrierPair(kind),
      supervisorCarriers: () => carrierPair('copying'),
      host,
    });
  }

  /** Nothing passes once the component is dead, and each frame may be its last. */
  protected override endOf(id: number, label: string, carrier: Carrier): Carrier {
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

  protected override supervisorEndOf(id: number, label: string, carrier: Carrier): Carrier {
    return {
      ...carrier,
      receive: (handler) =>
        carrier.receive((frame, memory) => {
          handler(frame, memory);
          this.#countHeard(id, label);
        }),
    };
  }

  #count(id: number, label: string): void {
    const frames = oneMore(this.frames, label);
    if (!this.#dies(label, frames) || this.death?.underWay === 'heard with the end') return;
    if (this.death?.underWay === 'lost') this.closeCarriers(id);
    this.death = undefined;
    this.dead.add(id);
    setImmediate(() => this.endComponent(id, KILLED));
  }

  #countHeard(id: number, label: string): void {
    const heard = oneMore(this.heard, label);
    if (!this.#dies(label, heard) || this.death?.underWay !== 'heard with the end') return;
    this.death = undefined;
    this.dead.add(id);
    this.endComponent(id, KILLED);
  }

  #dies(label: string, frames: number): boolean {
    return this.death?.label === label && frames >= this.death.afterFrames;
  }
}

function oneMore(counts: Map<string, number>, label: string): number {
  const count = (counts.get(label) ?? 0) + 1;
  counts.set(label, count);
  return count;
}
