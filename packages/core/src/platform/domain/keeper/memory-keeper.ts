/**
 * The keeper of a process's memory files. It owns every descriptor of memory that components of the
 * process share with other processes, and knows which component still needs it. When a component
 * ends, at whatever point, the keeper gives up everything that it held, and takes the memory that
 * it has made from everybody else. Memory that arrives from a peer is checked here before anybody
 * maps it.
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

/** Is told what has become of memory. */
export interface KeeperReports {
  /** Memory that this process has made must be given up by those others. */
  revoked(serial: number, processes: readonly number[]): void;
  /** Memory of another process has come here by way of a third one. */
  arrived(label: MemoryLabel): void;
  /** This process has given up memory that a component has freed. */
  freed(component: number, file: number): void;
  /** The keeper holds one buffer less. */
  forgotten(): void;
}

/** The socket and the process that memory is sent to. */
export interface MemoryWay {
  readonly socket: DescriptorSocket;
  readonly peerProcess: number;
}

/** The memory files of a process. */
export class MemoryKeeper {
  readonly #process: number;
  readonly #reports: KeeperReports;
  readonly #files = new Map<number, KeptFile>();
  /** The files by their labels. One file may have come here several times. */
  readonly #labelled = new Map<string, Set<KeptFile>>();
  /** The files that each component got from peers and can pass on. */
  readonly #received = new Map<number, Set<number>>();
  /** The files that each component got from peers and gave to other components of this process. */
  readonly #lent = new Map<number, Set<number>>();
  readonly #revocations = new Revocations((file) => this.#givenUp(file));
  #nextFile = STAND_IN + 1;

  /** `process` is the number of this process among those that share memory. */
  constructor(process: number, reports: KeeperReports) {
    this.#process = process;
    this.#reports = reports;
  }

  /** The number of files that a component may pass on or has mapped. */
  get size(): number {
    return this.#files.size;
  }

  /** The number of revocations that wait for the host. */
  get revoking(): number {
    return this.#revocations.size;
  }

  /** Makes a board on which a component's thread notes the memory that the host is using for it. */
  addPins(component: number): Place {
    return this.#revocations.addBoard(component);
  }

  /**
   * Makes a memory file for a component; `undefined` if the kernel gives no more. `once` is for a
   * packet stream.
   */
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

  /**
   * A component wants to pass on a file that another component of this process has given to it.
   * False if that is not possible.
   */
  hold(component: number, number: number): boolean {
    const file = this.#files.get(number);
    if (file?.descriptor === undefined || file.revoked) return false;
    file.holders.set(component, (file.holders.get(component) ?? 0) + 1);
    return true;
  }

  /** A component will not pass the file on any more. */
  drop(component: number, number: number): void {
    const file = this.#files.get(number);
    const held = file?.holders.get(component) ?? 0;
    if (!file || held === 0) return;
    if (held > 1) file.holders.set(component, held - 1);
    else this.#letGo(component, file);
  }

  /** The thread that has got a file has mapped it in this buffer. */
  mapped(component: number, number: number, buffer: SharedArrayBuffer): void {
    const file = this.#files.get(number);
    if (file?.facts.component !== component || file.mapping !== 'expected') return;
    file.mapping = buffer;
    this.#revocations.retry(file);
  }

  /** The thread that has got a file has mapped it nowhere. Everybody else who has it keeps it. */
  unmapped(component: number, number: number): void {
    const file = this.#files.get(number);
    if (file?.facts.component !== component || file.lent) return;
    file.mapping = undefined;
    this.#revocations.retry(file);
    this.#forgetUnused(file);
  }

  /**
   * The buffer also goes to other components of this process, so the keeper remembers it until the
   * owner takes the memory back. Beyond `LIMITS.memoryLent` it does not; such buffers go with their
   * last view.
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

  /** A component gives up memory of another process before the views of it are collected. */
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

  /**
   * A component takes back memory that it has made. True if this process has given it up by now.
   */
  free(component: number, number: number): boolean {
    const file = this.#files.get(number);
    if (file?.facts.component !== component || !file.facts.owned || file.revoked) return true;
    return this.#free(file);
  }

  /** The owner of memory takes it back. */
  revoke(label: MemoryLabel): void {
    for (const file of this.#labelled.get(keyOf(label)) ?? []) this.#revoke(file);
  }

  /** Memory that this process has made has come to `process` by way of a third one. */
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
      // The thread of the component maps nothing more.
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

  /**
   * Sends files, from index `from` on. The result is how many files of the frame are on their way
   * by now; `undefined` if the other end is closed.
   */
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

  /**
   * Takes the files of one frame. `undefined` if they are not all there, or malformed; then none is
   * kept.
   */
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
    // Memory of ours that has come back from another process is still ours, so its travels are
    // noted.
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

  /**
   * The file with this serial number, if a component of this process has made it and not freed it.
   */
  #ownFile(serial: number): KeptFile | undefined {
    const file = this.#files.get(serial);
    return file?.facts.owned && !file.revoked ? file : undefined;
  }

  #free(file: KeptFile): boolean {
    const { label } = file.facts;
    if (file.travelled.size > 0) this.#reports.revoked(label.serial, [...file.travelled]);
    const done = this.#revocations.start(file);
    // The memory may also have come back here from other processes.
    this.revoke(label);
    return done;
  }

  #revoke(file: KeptFile): void {
    if (file.facts.tracked && !file.revoked) this.#revocations.start(file);
  }

  /** Gives up a file of a frame that was malformed. */
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

/**
 * Sends an empty file in the place of memory that was taken back while its frame waited. False if
 * it cannot be sent now.
 */
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

/** Sends one file. False if there is no room now, `undefined` if the other end is closed. */
function sendOne(socket: DescriptorSocket, descriptor: number, tag: MemoryTag): boolean | undefined {
  try {
    return socket.send(descriptor, writeTag(tag));
  } catch (error) {
    if (!(error instanceof SharedMemoryError)) throw error;
    // Any other error is the kernel's, which has too many descriptors of this user under way.
    return error.code === 'PeerGone' || error.code === 'Closed' ? undefined : false;
  }
}
