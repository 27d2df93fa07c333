/**
 * Dataspaces: pieces of memory that components share. A RAM dataspace is allocated by `env.ram` against the
 * component's quota and may be written by whoever it is given to; sealing it ends that, and makes it a ROM: from
 * then on it may also travel to peers that share no memory with us, as a copy.
 *
 * Its owner may take it back at any time, by freeing it or by ending. Then nobody can attach it any more, and views that
 * are there read zeros, where the host can take pages from a buffer.
 */
import { assert, RpcError } from '../errors.ts';
import { copyInto } from './copy-into.ts';
import { isRevoked, type MemoryPiece } from './shared-memory.ts';

/** A piece of memory, ours or one that a peer shares with us. */
export class Dataspace {
  readonly #memory: MemoryPiece;
  readonly #sizeBytes: number;
  #sealed: boolean;
  #detached = false;

  /** For the runtime; components get dataspaces from `env.ram.allocate`. */
  constructor(memory: MemoryPiece, sizeBytes: number, sealed: boolean) {
    assert(sizeBytes <= memory.buffer.byteLength, 'a dataspace fits its memory');
    this.#memory = memory;
    this.#sizeBytes = sizeBytes;
    this.#sealed = sealed;
  }

  /** Usable bytes. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Whether the content is final. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** Declares the content final. Cannot be undone. */
  seal(): void {
    this.#sealed = true;
  }

  /** Whether its owner has taken it back, or we have let go of it. */
  get revoked(): boolean {
    return this.#detached || isRevoked(this.#memory.state);
  }

  /**
   * The memory, as bytes. Writing to a sealed dataspace breaks the promise its readers rely on. Throws `Revoked` when it has
   * been taken back; a view from before then reads zeros from that moment on, so look at `revoked` after reading
   * what must not be mistaken.
   */
  attach(): Uint8Array {
    this.#checkThere();
    return new Uint8Array(this.#memory.buffer, 0, this.#sizeBytes);
  }

  /** A private copy of the content, whole. Throws `Revoked` if it is taken back meanwhile. */
  copyContent(): Uint8Array {
    const copy = new Uint8Array(this.#sizeBytes);
    copyInto(copy, this.attach());
    this.#checkThere();
    return copy;
  }

  /** For `env.ram`: this component has let go of it. */
  detached(): void {
    this.#detached = true;
  }

  #checkThere(): void {
    if (this.revoked) throw new RpcError('Revoked', 'the dataspace has been freed by its owner, or detached');
  }

  /** For channels: the memory itself. */
  get memory(): MemoryPiece {
    return this.#memory;
  }

  /** A sealed dataspace with the given content. For the runtime: it is charged to nobody. */
  static ofContent(content: Uint8Array): Dataspace {
    const buffer = new SharedArrayBuffer(content.byteLength);
    copyInto(new Uint8Array(buffer), content);
    return new Dataspace({ buffer }, content.byteLength, true);
  }
}
