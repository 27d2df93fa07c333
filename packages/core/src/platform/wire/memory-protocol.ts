/**
 * The messages of a thread to the keeper of its process (`platform/domain/keeper/memory-keeper.ts`)
 * about memory files. The keeper owns every descriptor, so that none is lost when a thread ends,
 * wherever it is at that moment. A thread uses only the numbers of files that the keeper holds for
 * it.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Place } from '../../memory/place.ts';
import type { MemoryState } from '../../memory/shared-memory.ts';

/** How a thread reaches the keeper, where memory can be shared between processes. */
export interface KeeperLine {
  readonly port: MessagePort;
  /** A word that changes with every answer. */
  readonly answers: Place;
  /**
   * The board on which the thread notes memory that the host reads and writes for it
   * (`memory-pins.ts`); missing if the host does not.
   */
  readonly pins: Place | undefined;
}

/** A piece of memory that is about to travel to another process. */
export interface TravellingFile {
  readonly file: number;
  readonly sizeBytes: number;
  readonly sealed: boolean;
  readonly once: boolean;
}

/** Messages that the keeper answers while the thread waits. */
export type KeeperRequest =
  | { readonly kind: 'create'; readonly sizeBytes: number; readonly once: boolean }
  | { readonly kind: 'free'; readonly file: number }
  | { readonly kind: 'hold'; readonly file: number }
  | {
      readonly kind: 'send';
      readonly channel: number;
      readonly files: readonly TravellingFile[];
      readonly from: number;
    }
  | { readonly kind: 'receive'; readonly channel: number };

/** Messages without an answer. */
export type KeeperNotice =
  | { readonly kind: 'drop'; readonly file: number }
  /** The thread has mapped a file in this buffer. The keeper can take the memory from there. */
  | { readonly kind: 'mapped'; readonly file: number; readonly buffer: SharedArrayBuffer }
  /** The thread does not map the file any more, or could not map it. */
  | { readonly kind: 'unmapped'; readonly file: number }
  /** Other threads of the process get the buffer too. */
  | { readonly kind: 'lent'; readonly file: number }
  /** The thread does not need the memory any more, although there may be views of it. */
  | { readonly kind: 'detach'; readonly file: number }
  /** The host has stopped using this memory. Said only of memory that is being revoked. */
  | { readonly kind: 'unpinned'; readonly file: number }
  | { readonly kind: 'closed'; readonly channel: number };

/** A file that the keeper holds for the thread. */
export interface HeldFile {
  readonly file: number;
  readonly descriptor: number;
  readonly sizeBytes: number;
  /** Says whether it was revoked; missing for memory that cannot be. */
  readonly state: MemoryState | undefined;
}

/** A file that came from another process. */
export interface ArrivedFile extends HeldFile {
  readonly sealed: boolean;
  /** Whether the keeper holds it for the thread, so that the thread may pass the memory on. */
  readonly kept: boolean;
}

/** The keeper's answers by kind of request. `undefined` means that it is not possible. */
export interface KeeperAnswers {
  readonly create: HeldFile | undefined;
  /** Whether the process has given it up already. If not, a message follows when it has. */
  readonly free: boolean;
  readonly hold: boolean;
  /** How many of the files are on their way by now; `undefined` if the other end is closed. */
  readonly send: number | undefined;
  /** All files of one frame; `undefined` if they are not all there, or malformed. */
  readonly receive: readonly ArrivedFile[] | undefined;
}
