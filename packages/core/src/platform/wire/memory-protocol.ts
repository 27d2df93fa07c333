/**
 * What a thread asks the keeper of its process (`platform/domain/keeper/memory-keeper.ts`) about memory files. The keeper owns
 * every descriptor, so that none is lost when a thread ends, wherever it is at that moment; a thread only ever uses the
 * numbers of what the keeper holds for it.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Place } from '../../memory/place.ts';
import type { MemoryState } from '../../memory/shared-memory.ts';

/** How a thread reaches the keeper, if memory can be shared between processes. */
export interface KeeperLine {
  readonly port: MessagePort;
  /** Word that changes with every answer. */
  readonly answers: Place;
  /** The thread's board for what the host reads and writes (`memory-pins.ts`), if the host does so for it. */
  readonly pins: Place | undefined;
}

/** A piece that is to travel to another process. */
export interface TravellingFile {
  readonly file: number;
  readonly sizeBytes: number;
  readonly sealed: boolean;
  readonly once: boolean;
}

/** What is answered, while the thread waits. */
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

/** What is not. */
export type KeeperNotice =
  | { readonly kind: 'drop'; readonly file: number }
  /** Where the thread has mapped a file: the keeper can take the memory from there. */
  | { readonly kind: 'mapped'; readonly file: number; readonly buffer: SharedArrayBuffer }
  /** The thread shows it nowhere any more, or could not map it. */
  | { readonly kind: 'unmapped'; readonly file: number }
  /** Other threads of the process get the buffer too. */
  | { readonly kind: 'lent'; readonly file: number }
  /** The thread wants no more of it, though there may be views. */
  | { readonly kind: 'detach'; readonly file: number }
  /** The host no longer reads or writes there. Said only of memory that is being revoked. */
  | { readonly kind: 'unpinned'; readonly file: number }
  | { readonly kind: 'closed'; readonly channel: number };

/** A file that the keeper holds for the thread. */
export interface HeldFile {
  readonly file: number;
  readonly descriptor: number;
  readonly sizeBytes: number;
  /** Whether it has been revoked; undefined for what cannot be. */
  readonly state: MemoryState | undefined;
}

/** One that came from another process. */
export interface ArrivedFile extends HeldFile {
  readonly sealed: boolean;
  /** Whether the thread may keep it, to pass the memory on. */
  readonly kept: boolean;
}

/** What the keeper answers to a request of each kind; undefined where it cannot be done. */
export interface KeeperAnswers {
  readonly create: HeldFile | undefined;
  /** Whether the process has given it up already; if not, a message follows when it has. */
  readonly free: boolean;
  readonly hold: boolean;
  /** How many of the files are on their way by now; undefined if the other end is closed. */
  readonly send: number | undefined;
  /** Everything that belongs to one frame; undefined if it is not all there, or not what it should be. */
  readonly receive: readonly ArrivedFile[] | undefined;
}
