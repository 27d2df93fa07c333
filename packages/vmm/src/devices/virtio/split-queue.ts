/**
 * A split virtqueue (Virtual I/O Device specification 1.2, 2.7): the driver puts heads of chains of
 * descriptors into the available ring, the device takes them, works, and puts them into the used
 * ring, in any order. All three lie in guest memory, which the guest may change at any time: each
 * field is read once, and checked before it is used.
 */
import { integer, list, nullable, record, type ShapeType, u53 } from '@ginit/core';
import { GuestFault, type GuestMemory, type GuestSegment } from '../guest-memory.ts';

/** A request of the driver. */
export interface DescriptorChain {
  /** Names the request when it is completed. */
  readonly head: number;
  /** What the device reads. */
  readonly readable: readonly GuestSegment[];
  /** What the device writes. */
  readonly writable: readonly GuestSegment[];
}

/** Addresses of the parts of a queue in guest memory. */
export interface QueuePlace {
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
}

const DESCRIPTOR_BYTES = 16;
const FLAG_NEXT = 1;
const FLAG_WRITE = 2;
const FLAG_INDIRECT = 4;
const NO_INTERRUPT = 1;
/** Descriptors of one table that an indirect descriptor leads to. */
const INDIRECT_MAX = 1024;

/** The most descriptors of any queue. */
const QUEUE_SIZE_MAX = 32_768;
const u16 = integer(0, 0xffff);

/** A queue at a moment; the requests that were taken and not completed by their heads. */
export const queueState = record({
  size: integer(1, QUEUE_SIZE_MAX),
  place: nullable(record({ descriptors: u53, available: u53, used: u53 })),
  taken: u16,
  filled: u16,
  underWay: list(u16, QUEUE_SIZE_MAX),
});
/** See `queueState`. */
export type QueueState = ShapeType<typeof queueState>;

interface Descriptor extends GuestSegment {
  readonly flags: number;
  readonly next: number;
}

/** One queue of a device. */
export class SplitQueue {
  readonly sizeMax: number;
  readonly #memory: GuestMemory;
  #size: number;
  #place: QueuePlace | undefined;
  /** How far the available ring was taken, and the used ring filled; both run over at 65,536. */
  #taken = 0;
  #filled = 0;
  /** Requests that were taken and not completed. */
  #underWay = new Set<number>();

  /** `sizeMax` is a power of two. */
  constructor(memory: GuestMemory, sizeMax: number) {
    this.#memory = memory;
    this.sizeMax = sizeMax;
    this.#size = sizeMax;
  }

  get size(): number {
    return this.#size;
  }

  /** Where it is; `undefined` until the driver has said so. */
  get place(): QueuePlace | undefined {
    return this.#place;
  }

  /** Requests that were taken and not completed. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Sets the number of descriptors; what is no power of two up to `sizeMax` is ignored. */
  resize(size: number): void {
    if (size >= 1 && size <= this.sizeMax && (size & (size - 1)) === 0) this.#size = size;
  }

  /** From now on the queue is there. */
  enable(place: QueuePlace): void {
    this.#place = place;
  }

  /** As after power on. Requests that are under way are forgotten. */
  reset(): void {
    this.#place = undefined;
    this.#size = this.sizeMax;
    this.#taken = 0;
    this.#filled = 0;
    this.#underWay = new Set();
  }

  get state(): QueueState {
    return {
      size: this.#size,
      place: this.#place ?? null,
      taken: this.#taken,
      filled: this.#filled,
      underWay: [...this.#underWay],
    };
  }

  /** Is as another queue was. What that had under way is given out by `takeAgain`. */
  restore({ size, place, taken, filled, underWay }: QueueState): void {
    this.reset();
    this.resize(size);
    this.#place = place ?? undefined;
    this.#taken = taken;
    this.#filled = filled;
    this.#underWay = new Set(underWay);
  }

  /** The requests that are under way, from guest memory. Throws `GuestFault`. */
  takeAgain(): DescriptorChain[] {
    const place = this.#place;
    if (place === undefined) return [];
    return Array.from(this.#underWay, (head) => {
      if (head >= this.#size) throw new GuestFault(`descriptor ${head} of ${this.#size}`);
      return this.#chain(head, place.descriptors);
    });
  }

  /** The next request of the driver, if there is one. Throws `GuestFault`. */
  take(): DescriptorChain | undefined {
    if (this.#place === undefined) return undefined;
    const { available } = this.#place;
    const published = this.#u16(available + 2);
    const waiting = (published - this.#taken) & 0xffff;
    if (waiting === 0) return undefined;
    if (waiting > this.#size) throw new GuestFault(`the available ring is ${waiting} requests ahead`);
    const head = this.#u16(available + 4 + 2 * (this.#taken % this.#size));
    if (head >= this.#size) throw new GuestFault(`descriptor ${head} of ${this.#size}`);
    if (this.#underWay.has(head)) throw new GuestFault(`descriptor ${head} is in use already`);
    const chain = this.#chain(head, this.#place.descriptors);
    this.#taken = (this.#taken + 1) & 0xffff;
    this.#underWay.add(head);
    return chain;
  }

  /**
   * Gives a request back, with the number of bytes that the device has written. The result says
   * whether the driver wants an interrupt. Throws `GuestFault`. A request from before a reset is
   * ignored.
   */
  complete({ head }: DescriptorChain, writtenBytes: number): boolean {
    if (this.#place === undefined || !this.#underWay.delete(head)) return false;
    const { used, available } = this.#place;
    const entry = this.#write(used + 4 + 8 * (this.#filled % this.#size), 8);
    entry.setUint32(0, head, true);
    entry.setUint32(4, writtenBytes, true);
    this.#filled = (this.#filled + 1) & 0xffff;
    this.#write(used + 2, 2).setUint16(0, this.#filled, true);
    return (this.#u16(available) & NO_INTERRUPT) === 0;
  }

  /**
   * Follows a chain. Its last descriptor may be an indirect one (2.7.5.3), which leads to a table
   * of its own where the chain goes on.
   */
  #chain(head: number, descriptors: number): DescriptorChain {
    const readable: GuestSegment[] = [];
    const writable: GuestSegment[] = [];
    let [table, count, isIndirect] = [descriptors, this.#size, false];
    let [index, steps] = [head, 0];
    for (;;) {
      if (steps++ >= count) throw new GuestFault('a chain of descriptors has no end');
      if (index >= count) throw new GuestFault(`descriptor ${index} of ${count}`);
      const { address, length, flags, next } = this.#descriptor(table, index);
      if ((flags & FLAG_INDIRECT) !== 0) {
        if (isIndirect) throw new GuestFault('an indirect descriptor in an indirect table');
        [table, count, isIndirect] = [address, indirectCount(length, flags), true];
        [index, steps] = [0, 0];
        continue;
      }
      if ((flags & FLAG_WRITE) !== 0) writable.push({ address, length });
      else if (writable.length > 0) throw new GuestFault('what the device reads comes first');
      else readable.push({ address, length });
      if ((flags & FLAG_NEXT) === 0) return { head, readable, writable };
      index = next;
    }
  }

  #descriptor(table: number, index: number): Descriptor {
    const view = this.#read(table + index * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES);
    const address = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    const length = view.getUint32(8, true);
    // Whether all of it is in memory is found out here, once, and again when it is used.
    this.#memory.view(address, length);
    return { address, length, flags: view.getUint16(12, true), next: view.getUint16(14, true) };
  }

  #u16(address: number): number {
    return this.#read(address, 2).getUint16(0, true);
  }

  #read(address: number, length: number): DataView {
    const { buffer, byteOffset } = this.#memory.view(address, length);
    return new DataView(buffer, byteOffset, length);
  }

  #write(address: number, length: number): DataView {
    this.#memory.written(address, length);
    return this.#read(address, length);
  }
}

/** The descriptors of the table that an indirect descriptor leads to. Throws `GuestFault`. */
function indirectCount(length: number, flags: number): number {
  const count = length / DESCRIPTOR_BYTES;
  if ((flags & FLAG_NEXT) !== 0) throw new GuestFault('an indirect descriptor with a next one');
  if (Number.isInteger(count) && count >= 1 && count <= INDIRECT_MAX) return count;
  throw new GuestFault(`an indirect table of ${length} bytes`);
}
