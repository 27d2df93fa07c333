/**
 * Memory files as a thread sees them. The keeper of the process makes, holds and passes them on;
 * the thread maps them itself, so that the mappings go with the thread. The thread waits for the
 * keeper's answers, because they are part of sending and taking frames. The keeper never waits for
 * a thread.
 */
import { receiveMessageOnPort } from 'node:worker_threads';
import { mapBuffer, vacateBuffer } from 'sharedarraybuffer-polyfill/mapped-buffer';
import {
  isRevoked,
  LOCAL_MEMORY,
  markRevoked,
  type MemoryPiece,
  type MemorySource,
  newMemoryState,
} from '../../../memory/shared-memory.ts';
import { wordsAt } from '../../../memory/place.ts';
import type { Collector } from './collector.ts';
import type {
  ArrivedFile,
  HeldFile,
  KeeperAnswers,
  KeeperLine,
  KeeperNotice,
  KeeperRequest,
} from '../../wire/memory-protocol.ts';
import { MemoryPins } from './memory-pins.ts';

/** The longest wait without a look at the port. */
const LOOK_MS = 1000;

/** The thread's end of the line to the keeper. */
export class KeeperClient implements MemorySource {
  readonly #line: KeeperLine;
  readonly #collector: Collector | undefined;
  readonly #answers: Int32Array;
  /** The pieces of memory whose file the keeper holds for this thread. */
  readonly #held = new WeakSet<MemoryPiece>();
  /** The pins of memory that the host is using for this thread; missing if it uses none. */
  readonly pins: MemoryPins | undefined;
  /**
   * Files that were freed, and that the process gives up only when the host has finished with them.
   */
  readonly #freeing = new Map<number, () => void>();
  readonly #collected = new FinalizationRegistry<number>((file) => this.tell({ kind: 'unmapped', file }));
  readonly #forgotten = new FinalizationRegistry<number>((file) => this.tell({ kind: 'drop', file }));

  constructor(line: KeeperLine, collector: Collector | undefined) {
    this.#line = line;
    this.#collector = collector;
    this.#answers = wordsAt(line.answers);
    const unpinned = (file: number): void => this.tell({ kind: 'unpinned', file });
    this.pins = line.pins && new MemoryPins(wordsAt(line.pins), unpinned);
  }

  /** Asks the keeper and waits for the answer. */
  ask<Request extends KeeperRequest>(request: Request): KeeperAnswers[Request['kind']] {
    const { port } = this.#line;
    port.postMessage(request, []);
    for (;;) {
      const seen = Atomics.load(this.#answers, 0);
      const received = receiveMessageOnPort(port);
      // The keeper is our own code, so its answer has this type.
      if (received) return received.message as KeeperAnswers[Request['kind']];
      Atomics.wait(this.#answers, 0, seen, LOOK_MS);
    }
  }

  tell(notice: KeeperNotice): void {
    this.#line.port.postMessage(notice, []);
  }

  allocate(sizeBytes: number): MemoryPiece {
    return this.allocateShared(sizeBytes) ?? LOCAL_MEMORY.allocate(sizeBytes);
  }

  async revoke(piece: MemoryPiece): Promise<void> {
    const { file } = piece;
    if (file === undefined) return LOCAL_MEMORY.revoke(piece);
    this.sent(piece);
    if (this.ask({ kind: 'free', file })) return;
    await new Promise<void>((resolve) => this.#freeing.set(file, resolve));
  }

  /** For the thread's channels: the process has given up a file that was freed. */
  freed(file: number): void {
    this.#freeing.get(file)?.();
    this.#freeing.delete(file);
  }

  detach(piece: MemoryPiece): void {
    if (piece.file !== undefined) this.tell({ kind: 'detach', file: piece.file });
  }

  /**
   * Makes memory with a file; `undefined` if the process can have no more of it. `once` is for a
   * packet stream.
   */
  allocateShared(sizeBytes: number, once = false): MemoryPiece | undefined {
    const held = sizeBytes > 0 ? this.ask({ kind: 'create', sizeBytes, once }) : undefined;
    const buffer = held && this.#map(held, false);
    if (!buffer) return undefined;
    const piece = this.#hold({ buffer, file: held.file, once, state: held.state ?? newMemoryState() });
    return once ? this.#ofStream(piece) : piece;
  }

  /**
   * This end of a packet stream does not need its memory any more. No other thread of the process
   * has this mapping.
   */
  release({ buffer, state }: MemoryPiece): void {
    if (!state || isRevoked(state)) return;
    markRevoked(state);
    if (!this.pins?.busy(buffer)) vacate(buffer);
  }

  /** Other threads of the process get the memory too. */
  lend({ file, state }: MemoryPiece): void {
    if (file !== undefined && state) this.tell({ kind: 'lent', file });
  }

  /** Takes memory that another thread of the process has passed. */
  borrow(piece: MemoryPiece): void {
    this.pins?.know(piece);
  }

  /** Whether the keeper has the file of a piece; from now on it holds it for this thread too. */
  holds(piece: MemoryPiece): boolean {
    if (piece.file === undefined) return false;
    if (isRevoked(piece.state)) return false;
    if (this.#held.has(piece)) return true;
    if (!this.ask({ kind: 'hold', file: piece.file })) return false;
    this.#hold(piece);
    return true;
  }

  /**
   * The keeper has sent the file of a piece that is not needed here any more, and has given it up.
   */
  sent(piece: MemoryPiece): void {
    if (this.#held.delete(piece)) this.#forgotten.unregister(piece);
  }

  /** Maps a file that has arrived; `undefined` if that is not possible. */
  arrived(arrived: ArrivedFile): MemoryPiece | undefined {
    const { file, sealed, state, kept } = arrived;
    const buffer = this.#map(arrived, sealed);
    if (!buffer) return undefined;
    if (state) this.#collected.register(buffer, file);
    if (kept) return this.#hold({ buffer, file, sealed, state });
    this.tell({ kind: 'drop', file });
    return state
      ? { buffer, sealed, file, state }
      : this.#ofStream({ buffer, file, sealed, state: newMemoryState() });
  }

  #map(
    { descriptor, sizeBytes, file, state }: HeldFile,
    copyOnWrite: boolean,
  ): SharedArrayBuffer | undefined {
    this.#collector?.count();
    try {
      const buffer = mapBuffer(descriptor, sizeBytes, { copyOnWrite });
      if (state) {
        this.tell({ kind: 'mapped', file, buffer });
        this.pins?.know({ buffer, file, state });
      }
      return buffer;
    } catch {
      // There is no address space left, or there are too many mappings.
      this.tell({ kind: 'unmapped', file });
      this.tell({ kind: 'drop', file });
      return undefined;
    }
  }

  /** Memory of a packet stream: the stream's end in this thread gives it up, not the keeper. */
  #ofStream(piece: MemoryPiece): MemoryPiece {
    const { buffer } = piece;
    this.pins?.know(piece, () => vacate(buffer));
    return piece;
  }

  #hold(piece: MemoryPiece): MemoryPiece {
    this.#held.add(piece);
    if (piece.file !== undefined) this.#forgotten.register(piece, piece.file, piece);
    return piece;
  }
}

function vacate(buffer: SharedArrayBuffer): void {
  try {
    vacateBuffer(buffer);
  } catch {
    // The kernel has no memory for the change, so the memory goes with its last view.
  }
}
