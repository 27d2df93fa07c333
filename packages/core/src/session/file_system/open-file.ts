import { inPieces, type Pieces } from '../../async/index.ts';
import { copyInto } from '../../memory/copy-into.ts';
import { SEEK_TAIL, type NodeStatus } from './declaration.ts';
import type { Connection } from './connection.ts';
import { fileSystemFailure } from './names.ts';

/** Packets of one transfer that are under way at a time. */
const PACKETS_UNDER_WAY = 16;

/**
 * A file that is open. Errors are those of the File_system interface; whoever opened it closes it.
 */
export class OpenFile implements AsyncDisposable {
  readonly handle: number;
  readonly #connection: Connection;

  constructor(connection: Connection, handle: number) {
    this.#connection = connection;
    this.handle = handle;
  }

  /**
   * Fills `into` from `position` on. Resolves to the bytes read: fewer than asked for at the file's
   * end only.
   */
  async read(position: number, into: Uint8Array): Promise<number> {
    if (!withinFiles(position, into.length)) return 0;
    return inPieces(this.#pieces(into), (offset, length) =>
      this.#readPiece(position + offset, into.subarray(offset, offset + length)),
    );
  }

  /**
   * Writes all of `from` at `position`. If that fails, any part of it may have been written; `from`
   * must not change before this settles.
   */
  async write(position: number, from: Uint8Array): Promise<void> {
    if (!withinFiles(position, from.length)) throw fileSystemFailure('Size_limit_reached');
    await inPieces(this.#pieces(from), (offset, length) =>
      this.#writePiece(position + offset, from.subarray(offset, offset + length)),
    );
  }

  #pieces(bytes: Uint8Array): Pieces {
    return { total: bytes.length, pieceMax: this.#connection.packetBytes, underWayMax: PACKETS_UNDER_WAY };
  }

  /**
   * Writes `from` behind the file's end. What fits into one packet is not torn apart by other
   * writers.
   */
  async append(from: Uint8Array): Promise<void> {
    const { packetBytes } = this.#connection;
    for (let offset = 0; offset < from.length; ) {
      const piece = from.subarray(offset, offset + packetBytes);
      const done = await this.#connection.write(this.handle, SEEK_TAIL, piece);
      if (done === 0) throw fileSystemFailure('No_space');
      offset += done;
    }
  }

  /**
   * Reads once: what is at hand of an unsized file, which may be nothing (see `ready`), or as
   * `read` as far as one packet reaches.
   */
  readSome(position: number, into: Uint8Array): Promise<number> {
    const length = Math.min(into.length, this.#connection.packetBytes);
    return this.#connection.read(this.handle, position, length, (bytes) => {
      copyInto(into, bytes);
      return bytes.length;
    });
  }

  /** Settles when there is something to read, or never will be again. */
  ready(): Promise<void> {
    return this.#connection.readReady(this.handle);
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#connection.session.truncate(this.handle, sizeBytes);
  }

  status(): Promise<NodeStatus> {
    return this.#connection.session.status(this.handle);
  }

  setModified(modifiedMs: number): Promise<void> {
    return this.#connection.writeTimestamp(this.handle, modifiedMs);
  }

  close(): Promise<void> {
    return this.#connection.session.close(this.handle);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * A server may give less than there is: then it is asked for the rest, so that less means the
   * end.
   */
  async #readPiece(position: number, into: Uint8Array): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const left = into.length - done;
      const read = await this.#connection.read(this.handle, position + done, left, (bytes) => {
        copyInto(into, bytes, done);
        return bytes.length;
      });
      if (read === 0) break;
      done += read;
    }
    return done;
  }

  async #writePiece(position: number, from: Uint8Array): Promise<number> {
    for (let done = 0; done < from.length; ) {
      const written = await this.#connection.write(this.handle, position + done, from.subarray(done));
      if (written === 0) throw fileSystemFailure('No_space');
      done += written;
    }
    return from.length;
  }
}

/** False: no file reaches so far. `Invalid_argument` for what is no position. */
function withinFiles(position: number, length: number): boolean {
  if (!Number.isInteger(position) || position < 0) throw fileSystemFailure('Invalid_argument', 'no position');
  return position + length < SEEK_TAIL;
}
