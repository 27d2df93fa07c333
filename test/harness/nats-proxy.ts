/**
 * A bad network between clients and a nats-server: a proxy that knows the protocol of NATS well
 * enough to lose, double, delay and reorder whole messages, and that can stand still, cut all
 * connections and refuse new ones. (Source: the documentation of NATS, "NATS Protocol".)
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What happens to messages, by their number in a thousand. */
export interface ProxyFaults {
  readonly lostPerMille: number;
  readonly doubledPerMille: number;
  /** A delayed message is overtaken by those behind it. */
  readonly delayedPerMille: number;
  readonly delayMsMax: number;
}

const NO_FAULTS: ProxyFaults = { lostPerMille: 0, doubledPerMille: 0, delayedPerMille: 0, delayMsMax: 0 };
const PER_MILLE = 1000;
const LINE_END = Buffer.from('\r\n');
/** The commands that are followed by a payload, whose length is their last word. */
const WITH_PAYLOAD = /^H?(?:PUB|MSG) /i;

/** One direction of one connection: cuts the stream into commands. */
class Way {
  readonly #to: Socket;
  readonly #proxy: NatsProxy;
  #rest: Buffer = Buffer.alloc(0);

  constructor(to: Socket, proxy: NatsProxy) {
    this.#to = to;
    this.#proxy = proxy;
  }

  take(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (let length = this.#commandBytes(); length !== undefined; length = this.#commandBytes()) {
      const command = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      if (WITH_PAYLOAD.test(command.toString('latin1', 0, 5))) this.#proxy.carry(command, this.#to);
      else this.#to.write(command);
    }
  }

  /** The length of the first command; `undefined` if it is not there as a whole. */
  #commandBytes(): number | undefined {
    const end = this.#rest.indexOf(LINE_END);
    if (end < 0) return undefined;
    const line = this.#rest.toString('latin1', 0, end);
    const payload = WITH_PAYLOAD.test(line) ? Number(line.slice(line.lastIndexOf(' ') + 1)) + 2 : 0;
    const length = end + LINE_END.length + payload;
    return this.#rest.length >= length ? length : undefined;
  }
}

/** The proxy. */
export class NatsProxy implements AsyncDisposable {
  faults = NO_FAULTS;
  /** The messages that were lost, doubled and delayed. */
  readonly counts = { lost: 0, doubled: 0, delayed: 0, carried: 0 };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #random: () => number;
  #port = 0;
  #stalled = false;
  #refusing = false;

  private constructor(target: URL, random: () => number) {
    this.#random = random;
    this.#server = createServer((near) => this.#join(near, target));
  }

  /** A proxy in front of the server with this URL. `random` gives numbers from 0 to 1. */
  static async start(url: string, random: () => number): Promise<NatsProxy> {
    const proxy = new NatsProxy(new URL(url.replace(/^\w+:/, 'http:')), random);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    const address = proxy.#server.address();
    if (typeof address === 'object' && address) proxy.#port = address.port;
    return proxy;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  /** Nothing passes any more, and nobody is told, until it is given back. */
  stall(stalled: boolean): void {
    this.#stalled = stalled;
    for (const socket of this.#sockets) {
      if (stalled) socket.pause();
      else socket.resume();
    }
  }

  /** Ends all connections, and takes no new ones while `refusing`. */
  cut(refusing: boolean): void {
    this.#refusing = refusing;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Takes connections again. */
  heal(): void {
    this.#refusing = false;
  }

  /** Carries a message, or not. */
  carry(command: Buffer, to: Socket): void {
    const { lostPerMille, doubledPerMille, delayedPerMille, delayMsMax } = this.faults;
    this.counts.carried++;
    if (this.#happens(lostPerMille)) {
      this.counts.lost++;
      return;
    }
    const copies = this.#happens(doubledPerMille) ? 2 : 1;
    this.counts.doubled += copies - 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#happens(delayedPerMille)) {
        this.counts.delayed++;
        setTimeout(() => to.writable && to.write(command), this.#random() * delayMsMax);
      } else to.write(command);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut(true);
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #happens(perMille: number): boolean {
    return this.#random() * PER_MILLE < perMille;
  }

  #join(near: Socket, target: URL): void {
    if (this.#refusing) return void near.destroy();
    const far = connect(Number(target.port), target.hostname);
    const ways = [new Way(far, this), new Way(near, this)];
    for (const [index, socket] of [near, far].entries()) {
      this.#sockets.add(socket);
      socket.on('data', (bytes) => ways[index]?.take(bytes));
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
      if (this.#stalled) socket.pause();
    }
  }
}
