/**
 * The ailments of a disk, each of which strikes once: a request fails, a bit of the data that is
 * read has flipped, or a request goes to another place than it should. An ailment waits for the
 * next request that it can strike.
 */
import { RpcError } from '@ginit/core';
import type { HostErrorCode } from '@ginit/core/host';
import type { Random } from '../order/random.ts';
import { SECTOR_BYTES } from './sector.ts';

/** Requests to a disk. */
export type DiskOperation = 'read' | 'write' | 'sync';

/** A fault that strikes a disk. */
export type Ailment = {
  /** The only source of chance that the ailment uses. */
  readonly random: Random;
  /** Called when the ailment has struck, with a description. */
  readonly done: (what: string) => void;
} & (
  | { readonly kind: 'io-error'; readonly of: DiskOperation }
  | { readonly kind: 'misdirect'; readonly of: 'read' | 'write' }
  /** A bit flips on the way to the reader, or where it is stored. */
  | { readonly kind: 'corrupt'; readonly at: 'read' | 'rest' }
);

/** A disk that works. */
export interface SoundDisk {
  readonly sizeBytes: number;
  read(into: Uint8Array, position: number): void;
  write(from: Uint8Array, position: number): void;
  /** Makes the writes up to this mark durable. */
  sync(mark: number): void;
  /** It is about to answer something that is not true. */
  lies(): void;
  /** Flips the bits of a mask in a byte on stable storage. */
  spoil(position: number, mask: number): void;
}

/** The largest number of waiting ailments of one disk; more are refused. */
const WAITING_MAX = 1000;

/** The requests to one disk, as its ailments change them. */
export class AilingDisk {
  readonly #disk: SoundDisk;
  readonly #waiting: Ailment[] = [];

  constructor(disk: SoundDisk) {
    this.#disk = disk;
  }

  /** Adds an ailment. False if too many wait already. */
  befall(ailment: Ailment): boolean {
    if (this.#waiting.length >= WAITING_MAX) return false;
    this.#waiting.push(ailment);
    return true;
  }

  /** Reads. Throws `HostError`. */
  read(into: Uint8Array, position: number): void {
    const ailment = this.#take('read', into.byteLength);
    if (!ailment) return this.#disk.read(into, position);
    this.#disk.lies();
    const from =
      ailment.kind === 'misdirect' ? this.#elsewhere(ailment, into.byteLength, position) : position;
    this.#disk.read(into, from);
    if (ailment.kind === 'corrupt') this.#flip(ailment, into, position);
  }

  /** Writes. Throws `HostError`. */
  write(from: Uint8Array, position: number): void {
    const ailment = this.#take('write', from.byteLength);
    if (!ailment) return this.#disk.write(from, position);
    this.#disk.lies();
    this.#disk.write(from, this.#elsewhere(ailment, from.byteLength, position));
  }

  /** Makes everything up to `mark` stable. Throws `HostError`. */
  sync(mark: number): void {
    this.#take('sync', 0);
    this.#disk.sync(mark);
  }

  /** Takes the next ailment that such a request can have, other than the failure of the request. */
  #take(operation: DiskOperation, bytes: number): Ailment | undefined {
    const index = this.#waiting.findIndex(
      (ailment) =>
        (ailment.kind === 'corrupt' ? operation === 'read' : ailment.of === operation) &&
        (ailment.kind !== 'misdirect' || bytes + SECTOR_BYTES <= this.#disk.sizeBytes) &&
        (ailment.kind !== 'corrupt' || bytes > 0),
    );
    const [ailment] = index === -1 ? [] : this.#waiting.splice(index, 1);
    if (ailment?.kind !== 'io-error') return ailment;
    ailment.done(`a ${operation} fails`);
    throw new RpcError<HostErrorCode>('InputOutput', `a ${operation} failed: InputOutput (EIO)`);
  }

  /**
   * The place where the request goes instead: in another sector, at the same offset within the
   * sector.
   */
  #elsewhere({ kind, random, done }: Ailment, bytes: number, position: number): number {
    const within = position % SECTOR_BYTES;
    const places = Math.floor((this.#disk.sizeBytes - within - bytes) / SECTOR_BYTES) + 1;
    const own = Math.floor(position / SECTOR_BYTES);
    const other = random.below(places - 1);
    const sector = other < own ? other : other + 1;
    done(`${kind}ed from sector ${own} to ${sector}`);
    return sector * SECTOR_BYTES + within;
  }

  #flip(ailment: Ailment & { readonly kind: 'corrupt' }, into: Uint8Array, position: number): void {
    const { random, done, at } = ailment;
    const byte = random.below(into.byteLength);
    const mask = 1 << random.below(8);
    into[byte] = (into[byte] ?? 0) ^ mask;
    if (at === 'rest') this.#disk.spoil(position + byte, mask);
    const sector = Math.floor((position + byte) / SECTOR_BYTES);
    done(`a bit of sector ${sector} ${at === 'rest' ? 'has flipped' : 'flips on its way'}`);
  }
}
