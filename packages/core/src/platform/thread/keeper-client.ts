/**
 * Memory files as a thread sees them: made, held and passed by the keeper of its process, mapped by the thread itself,
 * so that the memory goes with the thread. Questions to the keeper are answered while the thread waits: they are part of
 * sending and taking frames. The keeper never waits for a thread.
 */
import { receiveMessageOnPort } from 'node:worker_threads';
import { mapBuffer } from 'sharedarraybuffer-polyfill/mapped-buffer';
import { LOCAL_MEMORY, type MemoryPiece, type MemorySource } from '../../memory/shared-memory.ts';
import { wordsAt } from '../../memory/place.ts';
import type { Collector } from './collector.ts';
import type {
  ArrivedFile,
  HeldFile,
  KeeperAnswers,
  KeeperLine,
  KeeperNotice,
  KeeperRequest,
} from './memory-protocol.ts';

/** Longest wait without a look at the port. */
const LOOK_MS = 1000;

/** The thread's end of the line to the keeper. */
export class KeeperClient implements MemorySource {
  readonly #line: KeeperLine;
  readonly #collector: Collector | undefined;
  readonly #answers: Int32Array;
  /** Pieces of this thread for which the keeper holds the file. */
  readonly #held = new WeakSet<MemoryPiece>();
  readonly #forgotten = new FinalizationRegistry<number>((file) => this.tell({ kind: 'drop', file }));

  constructor(line: KeeperLine, collector: Collector | undefined) {
    this.#line = line;
    this.#collector = collector;
    this.#answers = wordsAt(line.answers);
  }

  /** Asks and waits for the answer. */
  ask<Request extends KeeperRequest>(request: Request): KeeperAnswers[Request['kind']] {
    const { port } = this.#line;
    port.postMessage(request, []);
    for (;;) {
      const seen = Atomics.load(this.#answers, 0);
      const received = receiveMessageOnPort(port);
      // The keeper is our own code: what it answers has this type.
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

  release(piece: MemoryPiece): void {
    if (piece.file === undefined || !this.#held.delete(piece)) return;
    this.#forgotten.unregister(piece);
    this.tell({ kind: 'drop', file: piece.file });
  }

  /** Memory that has a file; undefined if the process can have no more of it. */
  allocateShared(sizeBytes: number, once = false): MemoryPiece | undefined {
    const held = sizeBytes > 0 ? this.ask({ kind: 'create', sizeBytes }) : undefined;
    const buffer = held && this.#map(held, false);
    return buffer && this.#hold({ buffer, file: held.file, once });
  }

  /** Whether the keeper has the file of a piece, from now on for us too. */
  holds(piece: MemoryPiece): boolean {
    if (piece.file === undefined) return false;
    if (this.#held.has(piece)) return true;
    if (!this.ask({ kind: 'hold', file: piece.file })) return false;
    this.#hold(piece);
    return true;
  }

  /** The keeper has given the file of a piece up, having sent it. */
  sent(piece: MemoryPiece): void {
    if (this.#held.delete(piece)) this.#forgotten.unregister(piece);
  }

  /** Maps what has arrived; undefined if that cannot be done. */
  arrived(file: ArrivedFile): MemoryPiece | undefined {
    const buffer = this.#map(file, file.sealed);
    if (!buffer) return undefined;
    if (file.kept) return this.#hold({ buffer, file: file.file, sealed: file.sealed });
    this.tell({ kind: 'drop', file: file.file });
    return { buffer, sealed: file.sealed };
  }

  #map({ descriptor, sizeBytes, file }: HeldFile, copyOnWrite: boolean): SharedArrayBuffer | undefined {
    this.#collector?.count();
    try {
      return mapBuffer(descriptor, sizeBytes, { copyOnWrite });
    } catch {
      // No address space, or too many mappings.
      this.tell({ kind: 'drop', file });
      return undefined;
    }
  }

  #hold(piece: MemoryPiece): MemoryPiece {
    this.#held.add(piece);
    if (piece.file !== undefined) this.#forgotten.register(piece, piece.file, piece);
    return piece;
  }
}
