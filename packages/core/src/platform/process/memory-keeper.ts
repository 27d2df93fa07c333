/**
 * The keeper of a process's memory files: it owns every descriptor of memory that its components share with other
 * processes, and says who of them still needs it. A component that ends, at whatever point, thereby gives up all of
 * its own. What arrives from a peer is checked here before anybody maps it.
 */
import {
  checkMemory,
  closeDescriptor,
  createOpenMemory,
  type DescriptorSocket,
  MEMORY_BYTES_MAX,
  sealMemory,
  SharedMemoryError,
} from 'sharedarraybuffer-polyfill';
import { assert } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { MEMORY_STEP_BYTES } from '../../memory/shared-memory.ts';
import type { ArrivedFile, HeldFile, TravellingFile } from '../thread/memory-protocol.ts';
import { type MemoryTag, readTag, writeTag } from './memory-tag.ts';

interface KeptFile {
  readonly descriptor: number;
  readonly sizeBytes: number;
  /** How often each component holds it. */
  readonly holders: Map<number, number>;
  /** Whether who may write to it is settled. */
  sealed: boolean;
}

/** The memory files of a process. */
export class MemoryKeeper {
  readonly #files = new Map<number, KeptFile>();
  /** Files that each component got from peers and keeps. */
  readonly #received = new Map<number, Set<number>>();
  #nextFile = 1;

  /** Files that somebody holds. */
  get size(): number {
    return this.#files.size;
  }

  /** Makes a memory file for a component; undefined if the kernel gives no more. */
  create(component: number, sizeBytes: number): HeldFile | undefined {
    const steppedBytes = Math.ceil(sizeBytes / MEMORY_STEP_BYTES) * MEMORY_STEP_BYTES;
    if (steppedBytes < 1 || steppedBytes > MEMORY_BYTES_MAX) return undefined;
    try {
      const descriptor = createOpenMemory(steppedBytes, `ginit memory of ${component}`);
      return this.#keep(component, descriptor, steppedBytes, false);
    } catch (error) {
      if (error instanceof SharedMemoryError) return undefined;
      throw error;
    }
  }

  /** A component wants to pass a file on that it got from another one of this process; false if it is gone. */
  hold(component: number, file: number): boolean {
    const kept = this.#files.get(file);
    kept?.holders.set(component, (kept.holders.get(component) ?? 0) + 1);
    return kept !== undefined;
  }

  /** A component needs a file no more. */
  drop(component: number, file: number): void {
    const kept = this.#files.get(file);
    const held = kept?.holders.get(component) ?? 0;
    if (!kept || held === 0) return;
    if (held > 1) kept.holders.set(component, held - 1);
    else this.#letGo(component, file, kept);
  }

  /** The component has ended. */
  ended(component: number): void {
    for (const [file, kept] of this.#files) {
      if (kept.holders.has(component)) this.#letGo(component, file, kept);
    }
    this.#received.delete(component);
  }

  /** Sends files, from index `from` on; how many are under way by now. Undefined if the other end is closed. */
  send(
    component: number,
    socket: DescriptorSocket,
    files: readonly TravellingFile[],
    from: number,
  ): number | undefined {
    for (let index = from; index < files.length; index++) {
      const travelling = files[index];
      const kept = travelling && this.#files.get(travelling.file);
      assert(travelling !== undefined && kept !== undefined, 'what is sent is held by its sender');
      const { sealed, once } = travelling;
      if (!kept.sealed) sealMemory(kept.descriptor, { readOnlyForOthers: sealed });
      kept.sealed = true;
      const tag = { index, count: files.length, sizeBytes: kept.sizeBytes, sealed, once };
      const taken = sendOne(socket, kept.descriptor, tag);
      if (taken !== true) return taken === undefined ? undefined : index;
      if (once) this.drop(component, travelling.file);
    }
    return files.length;
  }

  /** Takes the files of one frame. Undefined, and nothing kept, if they are not all there or not what they should be. */
  receive(component: number, socket: DescriptorSocket): readonly ArrivedFile[] | undefined {
    const arrived: ArrivedFile[] = [];
    let count = 1;
    while (arrived.length < count) {
      const next = receiveOne(socket, arrived.length, arrived.length > 0 ? count : undefined);
      if (!next) {
        for (const { file } of arrived) this.drop(component, file);
        return undefined;
      }
      const { descriptor, tag } = next;
      count = tag.count;
      arrived.push(this.#arrive(component, descriptor, tag));
    }
    return arrived;
  }

  #arrive(component: number, descriptor: number, { sizeBytes, sealed, once }: MemoryTag): ArrivedFile {
    const held = this.#keep(component, descriptor, sizeBytes, true);
    const received = this.#received.get(component) ?? new Set();
    this.#received.set(component, received);
    const kept = !once && received.size < LIMITS.receivedDescriptors;
    if (kept) received.add(held.file);
    return { ...held, sealed, kept };
  }

  #keep(component: number, descriptor: number, sizeBytes: number, sealed: boolean): HeldFile {
    const file = this.#nextFile++;
    this.#files.set(file, { descriptor, sizeBytes, sealed, holders: new Map([[component, 1]]) });
    return { file, descriptor, sizeBytes };
  }

  #letGo(component: number, file: number, kept: KeptFile): void {
    kept.holders.delete(component);
    this.#received.get(component)?.delete(file);
    if (kept.holders.size > 0) return;
    this.#files.delete(file);
    closeDescriptor(kept.descriptor);
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

/** A descriptor that is a memory file of the size that its tag says, and can neither grow nor shrink. */
function receiveOne(
  socket: DescriptorSocket,
  index: number,
  count: number | undefined,
): { readonly descriptor: number; readonly tag: MemoryTag } | undefined {
  let descriptor: number | undefined;
  try {
    const received = socket.receive();
    descriptor = received?.fd;
    const tag = received && readTag(received.tag);
    if (descriptor !== undefined && tag?.index === index && tag.count === (count ?? tag.count)) {
      checkMemory(descriptor, tag.sizeBytes, { writeable: !tag.sealed });
      return { descriptor, tag };
    }
  } catch (error) {
    if (!(error instanceof SharedMemoryError)) throw error;
  }
  if (descriptor !== undefined) closeDescriptor(descriptor);
  return undefined;
}
