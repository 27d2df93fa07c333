/** A client of 9P2000.L, as small as tests need it: it writes messages byte by byte, and reads answers. */
import { MessageReader, MessageWriter } from '../src/lib/9p/wire.ts';

/** Sends one message, and gives its answer. */
export type Send = (message: Uint8Array) => Promise<Uint8Array>;

export const NO_FID = 0xffff_ffff;
const ERROR = 7;

/** The answer to a message: its body, or the number of a Linux error. */
export class NinePClient {
  readonly #send: Send;
  #tag = 0;

  constructor(send: Send) {
    this.#send = send;
  }

  /** The tag of the next message. */
  get nextTag(): number {
    return this.#tag & 0xffff;
  }

  /** The body of the answer. Throws `errno N`. */
  async ask(type: number, body: (writer: MessageWriter) => unknown): Promise<MessageReader> {
    const writer = new MessageWriter();
    body(writer);
    const tag = this.#tag++ & 0xffff;
    const answer = await this.#send(writer.message(type, tag));
    const header = new DataView(answer.buffer, answer.byteOffset, 7);
    if (header.getUint32(0, true) !== answer.byteLength || header.getUint16(5, true) !== tag)
      throw new Error('an answer with a wrong header');
    const reader = new MessageReader(answer.subarray(7));
    const kind = header.getUint8(4);
    if (kind === ERROR) throw new Error(`errno ${reader.u32()}`);
    if (kind !== type + 1) throw new Error(`an answer of type ${kind} to one of ${type}`);
    return reader;
  }

  async version(bytes = 65_536, name = '9P2000.L'): Promise<[number, string]> {
    const answer = await this.ask(100, (to) => to.u32(bytes).text(name));
    return [answer.u32(), answer.text()];
  }

  attach(fid: number, uid = 0, place = ''): Promise<MessageReader> {
    return this.ask(104, (to) => to.u32(fid).u32(NO_FID).text('user').text(place).u32(uid));
  }

  /** The number of steps that were taken. */
  async walk(from: number, to: number, ...names: readonly string[]): Promise<number> {
    const answer = await this.ask(110, (writer) => {
      writer.u32(from).u32(to).u16(names.length);
      for (const name of names) writer.text(name);
    });
    return answer.u16();
  }

  async open(fid: number, flags = 0): Promise<void> {
    await this.ask(12, (to) => to.u32(fid).u32(flags));
  }

  async create(fid: number, name: string, mode = 0o644, flags = 2): Promise<void> {
    await this.ask(14, (to) => to.u32(fid).text(name).u32(flags).u32(mode).u32(0));
  }

  async write(fid: number, position: number, text: string): Promise<number> {
    const bytes = new TextEncoder().encode(text);
    return (await this.ask(118, (to) => to.u32(fid).u64(position).u32(bytes.length).bytes(bytes))).u32();
  }

  async read(fid: number, position = 0, count = 1000): Promise<string> {
    const answer = await this.ask(116, (to) => to.u32(fid).u64(position).u32(count));
    return new TextDecoder().decode(answer.bytes(answer.u32()));
  }

  /** The names in a directory that is open, read in pieces of so many bytes. */
  async names(fid: number, count = 60): Promise<string[]> {
    const names: string[] = [];
    for (let position = 0n; ; ) {
      const answer = await this.ask(40, (to) => to.u32(fid).u64(position).u32(count));
      const entries = new MessageReader(answer.bytes(answer.u32()));
      let any = false;
      for (;;) {
        try {
          entries.bytes(13);
        } catch {
          break;
        }
        position = entries.u64();
        entries.u8();
        names.push(entries.text());
        any = true;
      }
      if (!any) return names;
    }
  }

  /** Mode, owner, group, links and size. */
  async attributes(fid: number): Promise<readonly number[]> {
    const answer = await this.ask(24, (to) => to.u32(fid).u64(0x7ff));
    answer.bytes(8 + 13);
    const [mode, uid, gid, links] = [answer.u32(), answer.u32(), answer.u32(), Number(answer.u64())];
    answer.u64();
    return [mode, uid, gid, links, Number(answer.u64())];
  }

  async set(
    fid: number,
    valid: number,
    { mode = 0, uid = 0, gid = 0, size = 0, seconds = 0 },
  ): Promise<void> {
    await this.ask(26, (to) =>
      to.u32(fid).u32(valid).u32(mode).u32(uid).u32(gid).u64(size).u64(0).u64(0).u64(seconds).u64(0),
    );
  }

  async clunk(fid: number): Promise<void> {
    await this.ask(120, (to) => to.u32(fid));
  }
}
