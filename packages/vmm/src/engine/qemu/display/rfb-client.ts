/**
 * RFB, the protocol of VNC (RFC 6143), as far as a picture takes it: version 3.8, nobody has to
 * show who he is, pixels of 32 bits as they are ("raw"), and the size of the screen as a rectangle
 * of the encoding -223. The server sends what has changed, each time it is asked. A guest that has
 * broken into QEMU could write anything here: nothing is kept that is longer than a line of the
 * screen, and a picture that is larger than the largest is not asked for.
 */
import type { HostConnection } from '@ginit/core/host';

const VERSION = 'RFB 003.008\n';
const NO_SECURITY = 1;
const RAW = 0;
const DESKTOP_SIZE = -223;
const PIXEL_BYTES = 4;
const SKIPPED_AT_ONCE = 64 * 1024;

const TO_SERVER = { pixelFormat: 0, encodings: 2, updateRequest: 3, cutText: 6 } as const;
const FROM_SERVER = { update: 0, bell: 2, cutText: 3 } as const;

/** The part of a connection that is used. */
export type RfbConnection = Pick<HostConnection, 'read' | 'write' | 'close'>;

/** The other end does not keep to the protocol. */
export class RfbError extends Error {
  override readonly name = 'RfbError';
}

/** Who is told of the picture. */
export interface RfbEvents {
  /** The screen has another size. The result says whether its picture is wanted. */
  readonly resized: (width: number, height: number) => boolean;
  /** Pixels of a line, as 0xRRGGBB, valid during the call. */
  readonly line: (y: number, x: number, pixels: Uint32Array) => void;
}

/** A connection to one screen. */
export class RfbClient {
  readonly #connection: RfbConnection;
  readonly #events: RfbEvents;
  #unread: Uint8Array = new Uint8Array(0);
  #width = 0;
  #height = 0;
  #isWanted = false;
  /** Those who wait for a whole picture. */
  #waiting: (() => void)[] = [];

  /** Shakes hands. Rejects with `RfbError`, or with the connection's own error. */
  static async open(connection: RfbConnection, events: RfbEvents): Promise<RfbClient> {
    const client = new RfbClient(connection, events);
    await client.#greet();
    return client;
  }

  private constructor(connection: RfbConnection, events: RfbEvents) {
    this.#connection = connection;
    this.#events = events;
  }

  /**
   * Takes pictures until the connection ends. Rejects with `RfbError`, or with the connection's own
   * error.
   */
  async takeAll(): Promise<void> {
    await this.#ask(false);
    for (;;) {
      const [type] = await this.#read(1);
      switch (type) {
        case FROM_SERVER.update:
          await this.#takeUpdate();
          // Those who came while it was on its way wait for another one.
          await this.#ask(this.#waiting.length === 0);
          break;
        case FROM_SERVER.bell:
          break;
        case FROM_SERVER.cutText:
          await this.#skip(viewOf(await this.#read(7)).getUint32(3));
          break;
        default:
          throw new RfbError(`a screen sends a message of the type ${type}`);
      }
    }
  }

  /**
   * Has the server look at once whether something has changed: it looks less and less often while
   * nobody does anything. An empty text in the clipboard is something, and does nothing.
   */
  async stir(): Promise<void> {
    await this.#write(new Uint8Array([TO_SERVER.cutText, 0, 0, 0, 0, 0, 0, 0]));
  }

  /** Settles when all of the picture has come anew, if it is wanted at all. */
  async whole(): Promise<void> {
    if (!this.#isWanted) return;
    const come = new Promise<void>((resolve) => this.#waiting.push(resolve));
    await this.stir();
    await this.#ask(false);
    await come;
  }

  /** Ends the connection; whoever waits for a picture gets none. */
  async close(): Promise<void> {
    this.#release();
    await this.#connection.close();
  }

  async #greet(): Promise<void> {
    const version = new TextDecoder().decode(await this.#read(VERSION.length));
    if (version !== VERSION) throw new RfbError('a screen speaks another version of RFB');
    await this.#write(new TextEncoder().encode(VERSION));
    const [kinds = 0] = await this.#read(1);
    if (!(await this.#read(kinds)).includes(NO_SECURITY)) throw new RfbError('a screen asks who is there');
    await this.#write(Uint8Array.of(NO_SECURITY));
    if (viewOf(await this.#read(4)).getUint32(0) !== 0) throw new RfbError('a screen refuses');
    // Others may look, too.
    await this.#write(Uint8Array.of(1));
    const about = viewOf(await this.#read(24));
    await this.#skip(about.getUint32(20));
    // Little-endian words with red, green and blue in their lower bytes.
    const format = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
    await this.#write(Uint8Array.of(TO_SERVER.pixelFormat, 0, 0, 0, ...format));
    const encodings = new Uint8Array(12);
    encodings.set([TO_SERVER.encodings, 0, 0, 2]);
    viewOf(encodings).setInt32(4, RAW);
    viewOf(encodings).setInt32(8, DESKTOP_SIZE);
    await this.#write(encodings);
    this.#resize(about.getUint16(0), about.getUint16(2));
  }

  /** Asks for what has changed, or for all. A picture that is too large is not asked for. */
  async #ask(isForChanges: boolean): Promise<void> {
    if (!this.#isWanted) return;
    const request = new Uint8Array(10);
    request.set([TO_SERVER.updateRequest, isForChanges ? 1 : 0]);
    viewOf(request).setUint16(6, this.#width);
    viewOf(request).setUint16(8, this.#height);
    await this.#write(request);
  }

  async #takeUpdate(): Promise<void> {
    const count = viewOf(await this.#read(3)).getUint16(1);
    let pixels = 0;
    for (let index = 0; index < count; index++) pixels += await this.#takeRectangle();
    if (pixels >= this.#width * this.#height) this.#release();
  }

  /** The result is how many pixels have come. */
  async #takeRectangle(): Promise<number> {
    const head = viewOf(await this.#read(12));
    const [x, y] = [head.getUint16(0), head.getUint16(2)];
    const [width, height] = [head.getUint16(4), head.getUint16(6)];
    const encoding = head.getInt32(8);
    if (encoding === DESKTOP_SIZE) {
      this.#resize(width, height);
      return 0;
    }
    if (encoding !== RAW) throw new RfbError(`a screen sends the encoding ${encoding}`);
    for (let line = 0; line < height; line++) {
      // The memory of what was read is ours, and begins where words may begin.
      const bytes = (await this.#read(width * PIXEL_BYTES)).slice();
      if (this.#isWanted) this.#events.line(y + line, x, new Uint32Array(bytes.buffer, 0, width));
    }
    return width * height;
  }

  #resize(width: number, height: number): void {
    this.#width = width;
    this.#height = height;
    this.#isWanted = this.#events.resized(width, height);
    if (!this.#isWanted) this.#release();
  }

  #release(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  /** So many bytes, valid until the next read. */
  async #read(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      if (this.#unread.byteLength === 0) {
        const more = await this.#connection.read();
        if (!more) throw new RfbError('a screen has closed its connection');
        this.#unread = more;
      }
      const part = this.#unread.subarray(0, missing);
      this.#unread = this.#unread.subarray(part.byteLength);
      parts.push(part);
      missing -= part.byteLength;
    }
    const [only] = parts;
    return parts.length === 1 && only ? only : joined(parts, count);
  }

  async #skip(count: number): Promise<void> {
    for (let left = count; left > 0; left -= SKIPPED_AT_ONCE)
      await this.#read(Math.min(left, SKIPPED_AT_ONCE));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#connection.write(bytes);
  }
}

function joined(parts: readonly Uint8Array[], count: number): Uint8Array {
  const all = new Uint8Array(count);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
