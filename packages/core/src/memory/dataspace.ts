/**
 * Dataspaces: pieces of memory that components share. A RAM dataspace is allocated by `env.ram` and
 * charged to the component's quota. Every component that gets it may write to it, until it is
 * sealed. A sealed dataspace is a ROM; it may also travel to peers that share no memory with us, as
 * a copy.
 *
 * The owner may take a dataspace back at any time, by freeing it or by ending. Then nobody can
 * attach it any more, and existing views read zeros where the host can take pages from a buffer.
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

  /** The size in bytes. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Whether the content will not change any more. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** Declares the content final. Cannot be undone. */
  seal(): void {
    this.#sealed = true;
  }

  /** Whether the owner has taken it back, or this component has detached it. */
  get revoked(): boolean {
    return this.#detached || isRevoked(this.#memory.state);
  }

  /**
   * The memory as bytes. Writing to a sealed dataspace breaks the promise that its readers rely on.
   * Throws `Revoked` if it was taken back. A view from before reads zeros from that moment on:
   * where zeros must not be mistaken for content, look at `revoked` after reading.
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

  /** For `env.ram`: this component has detached it. */
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
