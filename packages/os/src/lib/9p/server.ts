/**
 * A server of 9P2000.L, the protocol by which Linux mounts a directory of somebody else (diod's
 * protocol.md; intro(5) of Plan 9), over a File_system session. It has one client. Messages may be
 * answered in any order; whoever brings them bounds how many are open.
 *
 * A fid stands for a path, which follows renames that this client makes; others' renames it does
 * not see. Symbolic links are the client's to follow.
 */
import { hasCode } from '@ginit/core';
import * as contents from './contents.ts';
import { errnoOf } from './failures.ts';
import * as nodes from './nodes.ts';
import { type Operation, Share, type SharedFiles, type ShareOptions } from './share.ts';
import * as walking from './walking.ts';
import { ERRNO, HEADER_BYTES, MessageReader, MessageWriter, NinePError } from './wire.ts';

const ERROR_ANSWER = 7;
const FLUSH = 108;
const NO_OPERATION = new NinePError(ERRNO.notSupported, 'there is no such operation');

/** The operations by the types of their messages. */
const OPERATIONS: ReadonlyMap<number, Operation> = new Map([
  [8, nodes.space],
  [12, contents.open],
  [14, contents.create],
  [16, nodes.symlink],
  [20, nodes.rename],
  [22, nodes.readlink],
  [24, nodes.getAttributes],
  [26, nodes.setAttributes],
  [40, contents.readDirectory],
  [50, contents.synchronise],
  [52, nodes.lock],
  [54, nodes.getLock],
  [70, nodes.link],
  [72, nodes.makeDirectory],
  [74, nodes.renameAt],
  [76, nodes.unlinkAt],
  [100, walking.version],
  [102, walking.auth],
  [104, walking.attach],
  [110, walking.walk],
  [116, contents.read],
  [118, contents.write],
  [120, walking.clunk],
  [122, nodes.remove],
]);

/** A message that is none; whoever sends such ones is not to be talked to. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

/** Serves one client. */
export class NinePServer {
  readonly #share: Share;
  /** Messages that are not answered, by their tags. */
  readonly #open = new Map<number, Promise<unknown>>();

  constructor(files: SharedFiles, options: ShareOptions) {
    this.#share = new Share(files, options);
  }

  /** The longest message that the client and we have agreed on. */
  get messageBytes(): number {
    return this.#share.messageBytes;
  }

  /**
   * The answer to a message, whole. Throws `MalformedMessage` for what is none, and what the file
   * system's session ends with.
   */
  async answer(message: Uint8Array): Promise<Uint8Array> {
    if (message.byteLength < HEADER_BYTES) throw new MalformedMessage('a message without a header');
    const header = new DataView(message.buffer, message.byteOffset, HEADER_BYTES);
    const [size, type, tag] = [header.getUint32(0, true), header.getUint8(4), header.getUint16(5, true)];
    if (size !== message.byteLength || size > this.#share.messageBytes)
      throw new MalformedMessage(`a message of ${size} bytes`);
    const body = new MessageReader(message.subarray(HEADER_BYTES));
    const answered = type === FLUSH ? this.#flush(body, tag) : this.#perform(type, tag, body);
    this.#open.set(tag, answered);
    try {
      return await answered;
    } finally {
      if (this.#open.get(tag) === answered) this.#open.delete(tag);
    }
  }

  /** Closes all that the client has open. */
  close(): Promise<void> {
    return this.#share.fids.clunkAll();
  }

  async #perform(type: number, tag: number, body: MessageReader): Promise<Uint8Array> {
    const answer = new MessageWriter();
    try {
      const operation = OPERATIONS.get(type);
      if (!operation) throw NO_OPERATION;
      await operation(this.#share, body, answer);
      return answer.message(type + 1, tag);
    } catch (error) {
      if (hasCode(error, 'PeerGone')) throw error;
      return new MessageWriter().u32(errnoOf(error)).message(ERROR_ANSWER, tag);
    }
  }

  /** Tflush: nothing is cut short, so its answer comes behind that of the message it names. */
  async #flush(body: MessageReader, tag: number): Promise<Uint8Array> {
    try {
      const old = body.u16();
      body.end();
      if (old !== tag) await this.#open.get(old)?.catch(() => {});
      return new MessageWriter().message(FLUSH + 1, tag);
    } catch (error) {
      return new MessageWriter().u32(errnoOf(error)).message(ERROR_ANSWER, tag);
    }
  }
}
