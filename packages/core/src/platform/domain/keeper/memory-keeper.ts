/**
 * The keeper of a process's memory files: it owns every descriptor of memory that its components share with other
 * processes, and says who of them still needs it. A component that ends, at whatever point, thereby gives up all of
 * its own, and everybody else loses what it has made. What arrives from a peer is checked here before anybody maps it.
 */
import {
  createOpenMemory,
  closeDescriptor,
  type DescriptorSocket,
  MEMORY_BYTES_MAX,
  sealMemory,
  SharedMemoryError,
} from 'sharedarraybuffer-polyfill';
import type { Place } from '../../../memory/place.ts';
import { LIMITS } from '../../../limits.ts';
import { MEMORY_STEP_BYTES } from '../../../memory/shared-memory.ts';
import type { ArrivedFile, HeldFile, TravellingFile } from '../../wire/memory-protocol.ts';
import type { Arrival, Arrivals } from './arrivals.ts';
import { KeptFile, type KeptFileFacts } from './kept-file.ts';
import { keyOf, type MemoryLabel, nameOf, STAND_IN } from './memory-label.ts';
import { type MemoryTag, writeTag } from './memory-tag.ts';
import { Revocations } from './revocations.ts';

/** Whom the keeper tells what has become of memory. */
export interface KeeperReports {
  /** Memory of this process is to be given up by those others. */
  revoked(serial: number, processes: readonly number[]): void;
  /** Memory of another process has come here by way of a third. */
  arrived(label: MemoryLabel): void;
  /** This process has given up what a component has freed. */
  freed(component: number, file: number): void;
  /** There is one buffer less that the keeper holds. */
  forgotten(): void;
}

/** Where memory goes. */
export interface MemoryWay {
  readonly socket: DescriptorSocket;
  readonly peerProcess: number;
}

/** The memory files of a process. */
export class MemoryKeeper {
  readonly #process: number;
  readonly #reports: KeeperReports;
  readonly #files = new Map<number, KeptFile>();
  /** The same by their labels: one may have come here several times. */
  readonly #labelled = new Map<string, Set<KeptFile>>();
  /** Files that each component got from peers and can pass on. */
  readonly #received = new Map<number, Set<number>>();
  /** Files that each component got from peers and gave to others of this process. */
  readonly #lent = new Map<number, Set<number>>();
  readonly #revocations = new Revocations((file) => this.#givenUp(file));
  #nextFile = STAND_IN + 1;

  /** `process`: the number of this one among those that share memory. */
  constructor(process: number, reports: KeeperReports) {
    this.#process = process;
    this.#reports = reports;
  }

  /** Files that somebody may pass on or has mapped. */
  get size(): number {
    return this.#files.size;
  }

  /** Revocations that wait for the host. */
  get revoking(): number {
    return this.#revocations.size;
  }

  /** A board for what the host does with memory of a component. */
  addPins(component: number): Place {
    return this.#revocations.addBoard(component);
  }

  /** Makes a memory file for a component; undefined if the kernel gives no more. `once`: for a packet stream. */
  create(component: number, sizeBytes: number, once = false): HeldFile | undefined {
    const steppedBytes = Math.ceil(sizeBytes / MEMORY_STEP_BYTES) * MEMORY_STEP_BYTES;
    if (steppedBytes < 1 || steppedBytes > MEMORY_BYTES_MAX) return undefined;
    const number = this.#nextFile++;
    const label = { process: this.#process, serial: number };
    const descriptor = makeFile(steppedBytes, label);
    if (descriptor === undefined) return undefined;
    const facts = { number, label, descriptor, sizeBytes: steppedBytes, component };
    return this.#keep({ ...facts, owned: !once, tracked: !once }, false);
  }

  /** A component wants to pass a file on that it got from another one of this process; false if it cannot be. */
  hold(component: number, number: number): boolean {
    const file = this.#files.get(number);
    if (file?.descriptor === undefined || file.revoked) return false;
    file.holders.set(component, (file.holders.get(component) ?? 0) + 1);
    return true;
  }

  /** A component does not pass a file on any more. */
  drop(component: number, number: number): void {
    const file = this.#files.get(number);
    const held = file?.holders.get(component) ?? 0;
    if (!file || held === 0) return;
    if (held > 1) file.holders.set(component, held - 1);
    else this.#letGo(component, file);
  }

  /** The thread that has got a file shows it in this buffer. */
  mapped(component: number, number: number, buffer: SharedArrayBuffer): void {
    const file = this.#files.get(number);
    if (file?.facts.component !== component || file.mapping !== 'expected') return;
    file.mapping = buffer;
    this.#revocations.retry(file);
  }

  /** The thread that has got a file shows it nowhere; whoever else has it keeps it. */
  unmapped(component: number, number: number): void {
    const file = this.#files.get(number);
    if (file?.facts.component !== component || file.lent) return;
    file.mapping = undefined;
    this.#revocations.retry(file);
    this.#forgetUnused(file);
  }

  /**
   * Other components of this process get the buffer too: it is known until the owner takes it back. Of very many that are
   * given away so, the last are not: they go by garbage collection.
   */
  lent(component: number, number: number): void {
    const file = this.#files.get(number);
    if (file?.facts.component !== component || file.lent) return;
    file.lent = true;
    if (file.facts.owned) return;
    const lent = this.#lent.get(component) ?? new Set();
    this.#lent.set(component, lent);
    if (lent.size < LIMITS.memoryLent) lent.add(number);
    else file.mapping = undefined;
  }

  /** A component gives up memory of another process before its views are collected. */
  detach(component: number, number: number): void {
    const file = this.#files.get(number);
    if (file?.facts.component !== component || file.facts.owned || file.lent) return;
    this.#revocations.start(file);
  }

  /** The host has finished with memory that is being revoked. */
  unpinned(number: number): void {
    const file = this.#files.get(number);
    if (file) this.#revocations.retry(file);
  }

  /** A component takes back what it has made; whether this process has given it up by now. */
  free(component: number, number: number): boolean {
    const file = this.#files.get(number);
    if (file?.facts.component !== component || !file.facts.owned || file.revoked) return true;
    return this.#free(file);
  }

  /** Its owner takes memory back. */
  revoke(label: MemoryLabel): void {
    for (const file of this.#labelled.get(keyOf(label)) ?? []) this.#revoke(file);
  }

  /** Memory of ours has come to another process by way of a third. */
  arrivedAt(process: number, serial: number): void {
    const file = this.#ownFile(serial);
    if (file) file.travelled.add(process);
    else this.#reports.revoked(serial, [process]);
  }

  /** The component has ended. */
  ended(component: number): void {
    this.#revocations.removeBoard(component);
    for (const file of this.#files.values()) {
      if (file.holders.has(component)) this.#letGo(component, file);
      if (file.facts.component !== component) continue;
      // It maps nothing any more that it has not mapped by now.
      if (file.mapping === 'expected') file.mapping = undefined;
      if (file.facts.owned && !file.revoked) this.#free(file);
      else if (!file.lent) this.#revoke(file);
      this.#revocations.retry(file);
    }
    this.#received.delete(component);
    this.#lent.delete(component);
  }

  /** Another process has ended. */
  processEnded(process: number): void {
    for (const file of this.#files.values()) {
      if (file.facts.label.process === process) this.#revoke(file);
      file.travelled.delete(process);
    }
  }

  /** Sends files, from index `from` on; how many are under way by now. Undefined if the other end is closed. */
  send(
    component: number,
    way: MemoryWay,
    files: readonly TravellingFile[],
    from: number,
  ): number | undefined {
    for (const [index, { file: number, sealed, once, sizeBytes }] of files.entries()) {
      if (index < from) continue;
      const tag = { index, count: files.length, sizeBytes, sealed, once };
      const file = this.#files.get(number);
      const there = file?.descriptor !== undefined && !file.revoked;
      const taken = there ? this.#send(way, file, tag) : sendStandIn(way, this.#process, tag);
      if (taken !== true) return taken === undefined ? undefined : index;
      if (once) this.drop(component, number);
    }
    return files.length;
  }

  /** Takes the files of one frame. Undefined, and nothing kept, if they are not all there or not what they should be. */
  receive(component: number, arrivals: Arrivals): readonly ArrivedFile[] | undefined {
    const arrived: ArrivedFile[] = [];
    let count: number | undefined;
    do {
      const next = arrivals.next();
      count ??= next?.tag.count;
      const file = next && this.#arrive(component, arrivals, next);
      if (file) arrived.push(file);
      if (!file || next.tag.index !== arrived.length - 1 || next.tag.count !== count) {
        for (const { file: number } of arrived) this.#forget(component, number);
        return undefined;
      }
    } while (arrived.length < count);
    return arrived;
  }

  #send({ socket, peerProcess }: MemoryWay, file: KeptFile, tag: MemoryTag): boolean | undefined {
    const { descriptor, facts } = file;
    if (descriptor === undefined) return false;
    if (!file.sealed) sealMemory(descriptor, { readOnlyForOthers: tag.sealed });
    file.sealed = true;
    const taken = sendOne(socket, descriptor, { ...tag, sizeBytes: facts.sizeBytes });
    // What has come back to us from elsewhere is ours all the same.
    if (taken && facts.label.process === this.#process)
      this.#ownFile(facts.label.serial)?.travelled.add(peerProcess);
    return taken;
  }

  #arrive(component: number, arrivals: Arrivals, arrival: Arrival): ArrivedFile | undefined {
    const { tag, label } = arrival;
    const { sizeBytes, sealed, once } = tag;
    const stream = arrivals.isStream(arrival);
    const own = label.process === this.#process;
    const gone = arrival.descriptor === undefined || (own && !this.#ownFile(label.serial));
    const descriptor = arrival.descriptor ?? makeFile(sizeBytes, label);
    if (descriptor === undefined) return undefined;
    const number = this.#nextFile++;
    const facts = { number, label, descriptor, sizeBytes, component, owned: false, tracked: !stream };
    const held = this.#keep(facts, true);
    const file = this.#files.get(number);
    if (file && gone) this.#revocations.start(file);
    else if (!own && label.process !== arrivals.giver) this.#reports.arrived(label);
    const received = this.#received.get(component) ?? new Set();
    this.#received.set(component, received);
    const kept = !once && received.size < LIMITS.receivedDescriptors;
    if (kept) received.add(number);
    return { ...held, sealed, kept };
  }

  #keep(facts: KeptFileFacts, sealed: boolean): HeldFile {
    const { number, label, descriptor, sizeBytes } = facts;
    const file = new KeptFile(facts, sealed);
    this.#files.set(number, file);
    const key = keyOf(label);
    const labelled = this.#labelled.get(key);
    if (labelled) labelled.add(file);
    else this.#labelled.set(key, new Set([file]));
    return { file: number, descriptor, sizeBytes, state: facts.tracked ? file.state : undefined };
  }

  /** What a component of ours has made and not freed. */
  #ownFile(serial: number): KeptFile | undefined {
    const file = this.#files.get(serial);
    return file?.facts.owned && !file.revoked ? file : undefined;
  }

  #free(file: KeptFile): boolean {
    const { label } = file.facts;
    if (file.travelled.size > 0) this.#reports.revoked(label.serial, [...file.travelled]);
    const done = this.#revocations.start(file);
    // It may have come back by way of others.
    this.revoke(label);
    return done;
  }

  #revoke(file: KeptFile): void {
    if (file.facts.tracked && !file.revoked) this.#revocations.start(file);
  }

  /** A frame with this file in it was nonsense. */
  #forget(component: number, number: number): void {
    this.unmapped(component, number);
    this.drop(component, number);
  }

  #letGo(component: number, file: KeptFile): void {
    file.holders.delete(component);
    this.#received.get(component)?.delete(file.facts.number);
    if (file.holders.size === 0 && !file.revoked) file.closeDescriptor();
    this.#forgetUnused(file);
  }

  #givenUp(file: KeptFile): void {
    const { component, number, owned } = file.facts;
    this.#forgetUnused(file);
    if (owned) this.#reports.freed(component, number);
  }

  #forgetUnused(file: KeptFile): void {
    if (file.descriptor !== undefined || file.mapping !== undefined) return;
    const { number, label, component } = file.facts;
    if (!this.#files.delete(number)) return;
    if (file.facts.tracked) this.#reports.forgotten();
    const key = keyOf(label);
    const labelled = this.#labelled.get(key);
    labelled?.delete(file);
    if (labelled?.size === 0) this.#labelled.delete(key);
    this.#received.get(component)?.delete(number);
    this.#lent.get(component)?.delete(number);
  }
}

function makeFile(sizeBytes: number, label: MemoryLabel): number | undefined {
  try {
    return createOpenMemory(sizeBytes, nameOf(label));
  } catch (error) {
    if (error instanceof SharedMemoryError) return undefined;
    throw error;
  }
}

/** In place of memory that was taken back while its frame waited. False if it cannot be sent now. */
function sendStandIn({ socket }: MemoryWay, process: number, tag: MemoryTag): boolean | undefined {
  const descriptor = makeFile(tag.sizeBytes, { process, serial: STAND_IN });
  if (descriptor === undefined) return false;
  try {
    sealMemory(descriptor, { readOnlyForOthers: tag.sealed });
    return sendOne(socket, descriptor, tag);
  } finally {
    closeDescriptor(descriptor);
  }
}

/** False if there is no room now, undefined if the other end is closed. */
function sendOne(socket: DescriptorSocket, descriptor: number, tag: MemoryTag): boolean | undefined {
  try {
    return socket.send(descriptor, writeTag(tag));
  } catch (error) {
    if (!(error instanceof SharedMemoryError)) throw error;
    // Other errors are the kernel's: too many descriptors of this user are under way.
    return error.code === 'PeerGone' || error.code === 'Closed' ? undefined : false;
  }
}
