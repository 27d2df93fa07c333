/**
 * The supervisor's part in the memory that a domain process shares with others: it makes the memory
 * of its doorbells, knows which of them are in use, and makes the memory of channels. It maps none
 * of it.
 */
import {
  closeDescriptor,
  createMemory,
  DescriptorSocket,
  SharedMemoryError,
  support,
} from 'sharedarraybuffer-polyfill';
import { assert } from '../../errors.ts';
import { CHANNEL_BYTES } from '../wire/channel-memory.ts';
import { SLOTS } from '../wire/doorbell.ts';
import { FIRST_CHANNEL_SLOT } from '../wire/worker-protocol.ts';
import { CountedDescriptor, DescriptorQueue } from './descriptor-queue.ts';
import type { DomainCommand } from '../wire/domain-protocol.ts';
import { DOORBELLS_BYTES, PRIVATE_DOORBELL, SHARED_DOORBELLS_MAX } from '../wire/doorbells.ts';

/** Where others reach a component: its doorbell, and the next free slot of that. */
interface Reach {
  readonly doorbell: number;
  nextSlot: number;
}

/** One end of a new channel. */
export interface ShareEnd {
  readonly process: SharedProcess;
  readonly component: number;
}

let nextProcess = 1;
/** Processes that have not ended, by number. */
const live = new Map<number, SharedProcess>();

/** A process that shares memory with others. */
export class SharedProcess {
  readonly number = nextProcess++;
  readonly #queue: DescriptorQueue;
  readonly #doorbells: CountedDescriptor;
  readonly #tell: (command: DomainCommand) => void;
  readonly #reaches = new Map<number, Reach>();
  readonly #freeDoorbells: number[] = [];
  #nextDoorbell = PRIVATE_DOORBELL + 1;
  /** Processes whose doorbells this one has. */
  readonly #knows = new Set<SharedProcess>();
  #farDescriptor: number | undefined;

  /** For `make`. */
  private constructor(made: MemoryAndSockets, tell: (command: DomainCommand) => void) {
    const [near, far] = made.sockets;
    this.#farDescriptor = far;
    this.#tell = tell;
    this.#queue = new DescriptorQueue(DescriptorSocket.adopt(near));
    this.#doorbells = new CountedDescriptor(made.memory);
    this.#queue.send(this.#doorbells.use(), { kind: 'doorbells', number: this.number });
    live.set(this.number, this);
  }

  /** For a process that takes commands by `tell`; `undefined` where memory cannot be shared. */
  static make(tell: (command: DomainCommand) => void): SharedProcess | undefined {
    if (!support().shared) return undefined;
    const made = memoryAndSockets(DOORBELLS_BYTES, 'ginit doorbells');
    return made && new SharedProcess(made, tell);
  }

  /** The descriptor for the process to inherit. */
  get farDescriptor(): number {
    assert(this.#farDescriptor !== undefined, 'the process has not been spawned yet');
    return this.#farDescriptor;
  }

  /** The process has been started, and has inherited its descriptor. */
  spawned(): void {
    closeDescriptor(this.farDescriptor);
    this.#farDescriptor = undefined;
  }

  /** Gives a component that is about to start a doorbell: its index in the process. */
  addComponent(component: number): number {
    const doorbell = this.#freeDoorbells.pop() ?? this.#nextDoorbell;
    if (doorbell > SHARED_DOORBELLS_MAX) return PRIVATE_DOORBELL;
    this.#nextDoorbell = Math.max(this.#nextDoorbell, doorbell + 1);
    this.#reaches.set(component, { doorbell, nextSlot: SLOTS - 1 });
    return doorbell;
  }

  /** The component has ended, and its doorbell is free. */
  removeComponent(component: number): void {
    const reach = this.#reaches.get(component);
    if (reach && this.#reaches.delete(component)) this.#freeDoorbells.push(reach.doorbell);
  }

  /** The process has ended. */
  end(): void {
    this.#queue.end();
    this.#doorbells.release();
    this.#knows.clear();
    live.delete(this.number);
    // All other processes are told, because memory that this one has made may have come to any of
    // them.
    for (const other of live.values()) {
      other.#knows.delete(this);
      other.#forget(this.number);
    }
  }

  /**
   * The process takes back memory that it has made, and says which processes have it. Naming a
   * wrong process does no harm, because each looks whether the memory is of the process that
   * revokes it.
   */
  revoked(serial: number, processes: readonly number[]): void {
    for (const number of processes) {
      const other = live.get(number);
      if (other && other !== this) {
        other.#queue.tell(() => other.#tell({ command: 'revoke', process: this.number, serial }));
      }
    }
  }

  /**
   * Memory that `process` has made has arrived here. That process is told; if it is gone, its
   * memory is taken back here.
   */
  arrived(process: number, serial: number): void {
    const owner = live.get(process);
    if (!owner) return this.#forget(process);
    owner.#queue.tell(() => owner.#tell({ command: 'arrived', process: this.number, serial }));
  }

  /**
   * Makes a channel between components of two processes; false if one of them has no doorbell for
   * that, or the kernel gives us no more descriptors.
   */
  static connect(channel: number, first: ShareEnd, second: ShareEnd): boolean {
    const reachA = first.process.#reaches.get(first.component);
    const reachB = second.process.#reaches.get(second.component);
    if (!reachA || !reachB) return false;
    const made = memoryAndSockets(CHANNEL_BYTES, `ginit channel ${channel}`);
    if (!made) return false;
    const memory = new CountedDescriptor(made.memory);
    const [socketA, socketB] = [
      new CountedDescriptor(made.sockets[0]),
      new CountedDescriptor(made.sockets[1]),
    ];
    const [slotA, slotB] = [takeSlot(reachA), takeSlot(reachB)];
    first.process.#supply(second.process, channel, memory.use(), socketA);
    second.process.#supply(first.process, channel, memory, socketB);
    const toB = { peer: second.component, peerProcess: second.process.number, peerDoorbell: reachB.doorbell };
    const toA = { peer: first.component, peerProcess: first.process.number, peerDoorbell: reachA.doorbell };
    const ofA = { component: first.component, channel, end: 0, slot: slotA, peerSlot: slotB };
    const ofB = { component: second.component, channel, end: 1, slot: slotB, peerSlot: slotA };
    first.process.#queue.tell(() => first.process.#tell({ command: 'share', ...ofA, ...toB }));
    second.process.#queue.tell(() => second.process.#tell({ command: 'share', ...ofB, ...toA }));
    return true;
  }

  /** Sends the process what it needs for a channel to `other`. */
  #supply(other: SharedProcess, channel: number, memory: CountedDescriptor, socket: CountedDescriptor): void {
    this.#meet(other);
    this.#queue.send(memory, { kind: 'memory', number: channel });
    this.#queue.send(socket, { kind: 'socket', number: channel });
  }

  #meet(other: SharedProcess): void {
    if (this.#knows.has(other)) return;
    this.#knows.add(other);
    this.#queue.send(other.#doorbells.use(), { kind: 'doorbells', number: other.number });
  }

  #forget(process: number): void {
    this.#queue.tell(() => this.#tell({ command: 'forget', process }));
  }
}

interface MemoryAndSockets {
  readonly memory: number;
  readonly sockets: readonly [number, number];
}

/**
 * A memory file and a pair of sockets. If the kernel gives no more, the result is `undefined` and
 * nothing is left over.
 */
function memoryAndSockets(sizeBytes: number, name: string): MemoryAndSockets | undefined {
  let memory: number | undefined;
  try {
    memory = createMemory(sizeBytes, name);
    return { memory, sockets: DescriptorSocket.descriptors() };
  } catch (error) {
    if (memory !== undefined) closeDescriptor(memory);
    if (error instanceof SharedMemoryError) return undefined;
    throw error;
  }
}

/**
 * Takes a slot for a channel. These go down from the last slot, because the slots that the process
 * gives out itself go up from the first.
 */
function takeSlot(reach: Reach): number {
  const slot = reach.nextSlot;
  reach.nextSlot = slot > FIRST_CHANNEL_SLOT ? slot - 1 : SLOTS - 1;
  return slot;
}
