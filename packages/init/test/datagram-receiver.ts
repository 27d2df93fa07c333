/** A socket that receives datagrams, as a service manager has one. */
import { createRequire } from 'node:module';
import { unlinkSync } from 'node:fs';
import { findKoffi } from 'sharedarraybuffer-polyfill';

/** koffi is optional: without it datagrams cannot be sent, which ginit says. */
function loadKoffi(): unknown {
  try {
    return createRequire(import.meta.url)(findKoffi());
  } catch {
    return undefined;
  }
}
const koffi = process.platform === 'linux' ? loadKoffi() : undefined;

/** Whether datagrams can be sent and received here. */
export const HAS_DATAGRAMS = koffi !== undefined;

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const MESSAGE_BYTES = 4096;

/** Receives what is sent to one address: a path, or an abstract name behind "@". */
export class DatagramReceiver {
  readonly #address: string;
  readonly #socket: number;
  readonly #receive: (socket: number, into: Uint8Array, length: number, flags: number) => number;
  readonly #close: (socket: number) => number;

  constructor(address: string) {
    const library = Object(koffi).load(null);
    const open = library.func('socket', 'int', ['int', 'int', 'int']);
    const bind = library.func('bind', 'int', ['int', 'void *', 'uint32_t']);
    this.#receive = library.func('recv', 'long', ['int', 'void *', 'size_t', 'int']);
    this.#close = library.func('close', 'int', ['int']);
    this.#address = address;
    const name = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(address.replace(/^@/, '\0'))]);
    this.#socket = open(AF_UNIX, SOCK_DGRAM, 0);
    if (bind(this.#socket, name, name.byteLength) !== 0) throw new Error(`cannot bind ${address}`);
  }

  /** What has come since it was called last. The kernel keeps ten messages or so. */
  take(): string[] {
    const messages: string[] = [];
    for (;;) {
      const bytes = new Uint8Array(MESSAGE_BYTES);
      const length = Number(this.#receive(this.#socket, bytes, bytes.byteLength, MSG_DONTWAIT));
      if (length < 0) return messages;
      messages.push(Buffer.from(bytes.subarray(0, length)).toString());
    }
  }

  [Symbol.dispose](): void {
    this.#close(this.#socket);
    if (this.#address.startsWith('/')) unlinkSync(this.#address);
  }
}
