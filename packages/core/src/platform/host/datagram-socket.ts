/**
 * Sends datagrams to a Unix socket, which Node cannot do: service managers listen on such a one.
 * The calls are made through koffi, on Linux. Constants are those of Linux on 64-bit processors.
 */
import { loadKoffi } from 'sharedarraybuffer-polyfill';

type NativeFunction = (...values: readonly (number | Uint8Array)[]) => number;

/** The part of koffi that is used here. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): NativeFunction };
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL_AND_DONTWAIT = 0x4040;
const FAMILY_BYTES = 2;
const PATH_BYTES_MAX = 107;

/** A socket to which datagrams are sent. */
export class DatagramSocket {
  readonly #address: Uint8Array;
  readonly #socket: number;
  readonly #send: NativeFunction;

  private constructor(address: Uint8Array, socket: number, send: NativeFunction) {
    this.#address = address;
    this.#socket = socket;
    this.#send = send;
  }

  /**
   * A sender to the socket at this path; a path that begins with `@` is one of the abstract name
   * space. The result is the reason, in words for people, if there can be none.
   */
  static to(path: string): DatagramSocket | string {
    if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
    const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path);
    if (name.byteLength > PATH_BYTES_MAX) return 'its path is too long for a socket';
    try {
      const koffi = loadKoffi<Koffi>();
      const library = koffi.load(null);
      const open = library.func('socket', 'int', ['int', 'int', 'int']);
      const send = library.func('sendto', 'long', ['int', 'void *', 'size_t', 'int', 'void *', 'uint32_t']);
      const socket = open(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (socket < 0) return 'the kernel gives no socket';
      const address = new Uint8Array(FAMILY_BYTES + name.byteLength);
      new DataView(address.buffer).setUint16(0, AF_UNIX, true);
      address.set(name, FAMILY_BYTES);
      return new DatagramSocket(address, socket, send);
    } catch {
      return 'koffi is not installed or cannot be loaded (npm install koffi)';
    }
  }

  /** Sends a text, without waiting. False if it could not be sent. */
  send(text: string): boolean {
    const bytes = new TextEncoder().encode(text);
    const { byteLength } = this.#address;
    return (
      this.#send(
        this.#socket,
        bytes,
        bytes.byteLength,
        MSG_NOSIGNAL_AND_DONTWAIT,
        this.#address,
        byteLength,
      ) >= 0
    );
  }
}
