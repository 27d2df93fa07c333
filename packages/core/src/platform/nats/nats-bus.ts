/**
 * A bus over a nats-server. The client is npm's `nats`; it finds its servers again by itself, and
 * is replaced when it has closed itself: because its key was revoked, a server broke the protocol,
 * or there was none when it started. That goes on, with growing pauses, until the bus is closed.
 * People are told of each new reason once.
 */
import type { ConnectionOptions, Msg, NatsConnection, NatsError, Status, Subscription } from 'nats';
import { LIMITS } from '../../limits.ts';
import { type Bus, type BusDenial, type BusMessage, isSubject, isSubjectPattern } from '../bus.ts';
import type { BusClock } from './bus-clock.ts';
import type { Identity } from './keys.ts';
import { jittered } from './link-attempt.ts';
import { type NatsServers, natsServers, type NatsTls } from './nats-options.ts';
import { SystemClock } from './system-clock.ts';

/** The client notices a dead connection after two of these without an answer. */
const PING_MS = 5000;
const CONNECT_TIMEOUT_MS = 5000;
/** The client's own pause before it tries the next of its servers. */
const RECONNECT_MS = 200;
const FIRST_PAUSE_US = 200_000;
const PAUSE_US_MAX = 30_000_000;
/** A connection that was shorter has failed: pauses go on growing, and nothing is told again. */
const LASTING_US = 10_000_000;
/** The time in which the last messages go out when a bus is closed. */
const LAST_WORDS_US = 1_000_000;
/** How many different complaints are told until there is a connection. */
const COMPLAINTS_MAX = 8;

/** How a node reaches the bus. */
export interface NatsBusOptions {
  /** URLs of nats-servers of one cluster: `nats://HOST:PORT`, `tls://HOST:PORT`. */
  readonly servers: readonly string[];
  /** The key of its user; without one only a server that asks for none lets it in. */
  readonly identity?: Identity | undefined;
  /** With it, or if one of the addresses is `tls:`, no server without TLS will do. */
  readonly tls?: NatsTls | undefined;
  /** Takes lines for people. */
  readonly complain: (text: string) => void;
}

interface Wanted {
  readonly pattern: string;
  readonly handler: (message: BusMessage) => void;
  subscription: Subscription | undefined;
}

/** A connection to a nats-server. */
export class NatsBus implements Bus {
  readonly #options: NatsBusOptions;
  readonly #servers: NatsServers;
  readonly #clock: BusClock = new SystemClock();
  readonly #wanted = new Set<Wanted>();
  readonly #told = new Set<string>();
  #client: NatsConnection | undefined;
  #connected = false;
  #connectedUs = 0;
  #payloadBytesMax = 0;
  #lastSubject = '';
  #closed = false;
  #pauseUs = FIRST_PAUSE_US;
  #wake: () => void = () => {};
  #connectionHandler: ((connected: boolean) => void) | undefined;
  #deniedHandler: ((denial: BusDenial) => void) | undefined;

  private constructor(options: NatsBusOptions) {
    this.#options = options;
    this.#servers = natsServers(options.servers, options.tls);
  }

  /**
   * Connects; settles when there is a server. Goes on trying until `signal` is aborted, and rejects
   * then. Rejects with RangeError if the options are malformed.
   */
  static async connect(options: NatsBusOptions, signal?: AbortSignal): Promise<NatsBus> {
    const bus = new NatsBus(options);
    const onAbort = (): void => bus.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        void bus.#keep(resolve).then(() => reject(new Error('no nats-server was found')), reject);
      });
      return bus;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  get payloadBytesMax(): number {
    return this.#payloadBytesMax;
  }

  get connected(): boolean {
    return this.#connected;
  }

  publish(subject: string, payload: Uint8Array, reply = ''): void {
    // Mostly it is the subject of the message before.
    if (subject !== this.#lastSubject && !isSubject(subject)) {
      throw new RangeError(`"${subject}" is no subject`);
    }
    this.#lastSubject = subject;
    if (reply !== '' && !isSubject(reply)) throw new RangeError(`"${reply}" is no subject`);
    if (payload.byteLength > this.#payloadBytesMax) {
      throw new RangeError(
        `a message of ${payload.byteLength} bytes is longer than ${this.#payloadBytesMax}`,
      );
    }
    // What is published without a connection would be lost, or, by a closed client, thrown.
    const client = this.#client;
    if (!this.#connected || !client || client.isClosed()) return;
    if (this.#isTooShort(client)) return;
    client.publish(subject, payload, reply === '' ? undefined : { reply });
  }

  subscribe(pattern: string, handler: (message: BusMessage) => void): () => void {
    if (!isSubjectPattern(pattern)) throw new RangeError(`"${pattern}" is no pattern of subjects`);
    const wanted: Wanted = { pattern, handler, subscription: undefined };
    if (!this.#closed) this.#wanted.add(wanted);
    if (this.#client && !this.#client.isClosed()) this.#subscribe(this.#client, wanted);
    return () => {
      this.#wanted.delete(wanted);
      wanted.subscription?.unsubscribe();
    };
  }

  onConnection(handler: (connected: boolean) => void): void {
    this.#connectionHandler = handler;
  }

  onDenied(handler: (denial: BusDenial) => void): void {
    this.#deniedHandler = handler;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connected = false;
    this.#wanted.clear();
    this.#wake();
    const client = this.#client;
    if (!client) return;
    // What was published just now still goes out; then it ends whatever the server does.
    const close = (): void => {
      cancel();
      void client.close();
    };
    const cancel = this.#clock.after(LAST_WORDS_US, close);
    client.flush().then(close, close);
  }

  /**
   * Sees to it that there is a client, until the bus is closed. Calls `first` when there is one.
   */
  async #keep(first: () => void): Promise<void> {
    const { connect } = await import('nats');
    while (!this.#closed) {
      try {
        const client = await connect(this.#connectionOptions());
        await this.#use(client, first);
      } catch (error) {
        // The options are in order, so whatever it is may be another next time.
        this.#complain(this.#keptOut(error) ?? `cannot connect to ${this.#servers.text}: ${reasonOf(error)}`);
      }
      if (!this.#closed) await this.#pause();
    }
  }

  /** Works with a client until it has closed itself. */
  async #use(client: NatsConnection, first: () => void): Promise<void> {
    if (this.#closed) return client.close();
    this.#payloadBytesMax ||= Math.min(payloadOf(client), 2 * LIMITS.busDatagramBytes);
    if (this.#isTooShort(client)) return;
    this.#client = client;
    for (const wanted of this.#wanted) this.#subscribe(client, wanted);
    this.#setConnected(true);
    first();
    void this.#watch(client);
    const error = await client.closed();
    this.#client = undefined;
    this.#setConnected(false);
    if (!error) return;
    this.#complain(
      this.#keptOut(error) ?? `${this.#servers.text} has ended the connection: ${reasonOf(error)}`,
    );
  }

  /**
   * Whether a server takes shorter messages than the node counts on. The connection ends then, and
   * there is another one when that has changed.
   */
  #isTooShort(client: NatsConnection): boolean {
    const bytes = payloadOf(client);
    if (bytes >= this.#payloadBytesMax) return false;
    this.#complain(`${this.#servers.text} takes shorter messages than before: ${bytes} bytes`);
    this.#setConnected(false);
    void client.close();
    return true;
  }

  /** What to say if the server does not let the key in. One line, whenever it says so. */
  #keptOut(error: unknown): string | undefined {
    const code = error instanceof Error ? Reflect.get(error, 'code') : error;
    if (code !== 'AUTHORIZATION_VIOLATION' && code !== 'BAD_AUTHENTICATION') return undefined;
    return `${this.#servers.text} does not let ${this.#key} in (authorization violation)`;
  }

  get #key(): string {
    return this.#options.identity?.publicKey ?? 'a node without a key';
  }

  #connectionOptions(): ConnectionOptions {
    const { identity } = this.#options;
    const { addresses, tls } = this.#servers;
    return {
      servers: [...addresses],
      name: 'ginit',
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: PING_MS,
      maxPingOut: 2,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_MS,
      reconnectJitter: RECONNECT_MS,
      reconnectJitterTLS: RECONNECT_MS,
      ...(tls ? { tls } : {}),
      ...(identity ? { authenticator: (nonce?: string) => signatureOf(identity, nonce) } : {}),
    };
  }

  #subscribe(client: NatsConnection, wanted: Wanted): void {
    wanted.subscription = client.subscribe(wanted.pattern, {
      // An error is a denial, of which `#watch` hears too.
      callback: (error: NatsError | null, { subject, reply = '', data }: Msg) => {
        if (!error) wanted.handler({ subject, reply, payload: data });
      },
    });
  }

  async #watch(client: NatsConnection): Promise<void> {
    for await (const status of client.status()) {
      if (this.#client !== client) return;
      this.#hear(client, status);
    }
  }

  #hear(client: NatsConnection, { type, data, permissionContext }: Status): void {
    switch (type) {
      case 'disconnect':
        return this.#setConnected(false);
      case 'reconnect':
        return this.#setConnected(!client.isClosed() && !this.#isTooShort(client));
      case 'error':
        if (permissionContext) return this.#deny(permissionContext);
        return this.#complain(this.#keptOut(data) ?? `${this.#servers.text} says: ${String(data)}`);
      default:
        return undefined;
    }
  }

  #deny({ operation, subject }: { operation: string; subject: string }): void {
    const denial: BusDenial = { operation: operation === 'publish' ? 'publish' : 'subscribe', subject };
    this.#complain(`${this.#servers.text} does not let ${this.#key} ${denial.operation} to "${subject}"`);
    this.#deniedHandler?.(denial);
  }

  #setConnected(connected: boolean): void {
    if (connected === this.#connected || this.#closed) return;
    this.#connected = connected;
    const nowUs = this.#clock.nowUs();
    if (connected) this.#connectedUs = nowUs;
    else if (nowUs - this.#connectedUs >= LASTING_US) {
      this.#pauseUs = FIRST_PAUSE_US;
      this.#told.clear();
    }
    this.#connectionHandler?.(connected);
  }

  #complain(text: string): void {
    if (this.#closed || this.#told.has(text) || this.#told.size >= COMPLAINTS_MAX) return;
    this.#told.add(text);
    this.#options.complain(`bus: ${text}`);
  }

  #pause(): Promise<void> {
    const pauseUs = jittered(this.#pauseUs, this.#clock);
    this.#pauseUs = Math.min(this.#pauseUs * 2, PAUSE_US_MAX);
    return new Promise((resolve) => {
      const cancel = this.#clock.after(pauseUs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

function signatureOf(identity: Identity, nonce: string | undefined): { nkey: string; sig: string } {
  const signature = nonce === undefined ? new Uint8Array() : identity.sign(Buffer.from(nonce));
  return { nkey: identity.publicKey, sig: Buffer.from(signature).toString('base64') };
}

const payloadOf = (client: NatsConnection): number => client.info?.max_payload ?? 0;

/** The reason in words, without line ends. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection has ended';
  const cause = Reflect.get(error, 'chainedError');
  const text = cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
  return text.replaceAll(/\s+/g, ' ').slice(0, LIMITS.reasonBytes);
}
