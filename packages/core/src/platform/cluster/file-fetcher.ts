/**
 * Asks the head for files by their hashes, piece by piece: a few at a time, so nothing piles up.
 */
import { Semaphore } from '../../async/semaphore.ts';
import { PeerGone, RpcError } from '../../errors.ts';
import { PIECE_BYTES } from './messages.ts';

/** Pieces that are under way at a time. */
const UNDER_WAY = 8;

interface Asked {
  readonly resolve: (piece: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** The files of one head. */
export class FileFetcher {
  readonly #ask: (hash: string, offset: number) => void;
  readonly #asked = new Map<string, Asked[]>();
  readonly #turns = new Semaphore(UNDER_WAY);

  constructor(ask: (hash: string, offset: number) => void) {
    this.#ask = ask;
  }

  /** The content of a file of this size. */
  async fetch({ hash, bytes }: { readonly hash: string; readonly bytes: number }): Promise<Uint8Array> {
    const content = new Uint8Array(bytes);
    for (let offset = 0; offset < bytes; ) {
      const piece = await this.#piece(hash, offset);
      if (piece.byteLength === 0 || piece.byteLength > Math.min(PIECE_BYTES, bytes - offset))
        throw new RpcError('LimitExceeded', 'a file of the component has another size than was said');
      content.set(piece, offset);
      offset += piece.byteLength;
    }
    return content;
  }

  /** A piece has come; `undefined` if the head does not have that file any more. */
  take(hash: string, offset: number, piece: Uint8Array | undefined): void {
    const key = `${hash} ${offset}`;
    const [first, ...others] = this.#asked.get(key) ?? [];
    if (others.length > 0) this.#asked.set(key, others);
    else this.#asked.delete(key);
    if (piece) first?.resolve(new Uint8Array(piece));
    else first?.reject(new RpcError('NO_BINARY', 'a file of the component has changed meanwhile'));
  }

  /** The head is gone. */
  end(): void {
    const asked = [...this.#asked.values()].flat();
    this.#asked.clear();
    for (const { reject } of asked) reject(new PeerGone('the head of the cluster is gone', 'no'));
  }

  async #piece(hash: string, offset: number): Promise<Uint8Array> {
    return this.#turns.run(
      () =>
        new Promise<Uint8Array>((resolve, reject) => {
          const key = `${hash} ${offset}`;
          this.#asked.set(key, [...(this.#asked.get(key) ?? []), { resolve, reject }]);
          this.#ask(hash, offset);
        }),
    );
  }
}
