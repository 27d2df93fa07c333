/**
 * A QEMU in the test's own thread: a workplace whose sockets are pairs of queues, and a program that
 * connects to them as QEMU does and speaks QMP as its version 7.2 does. Tests say how it differs.
 */
import { RpcError } from '@ginit/core';
import type {
  HostConnection,
  HostFile,
  HostListener,
  HostProcess,
  HostProcessEnd,
  HostSource,
  HostWorkplace,
} from '@ginit/core/host';

/** Bytes from one end to another. */
class Pipe implements HostSource {
  readonly #pieces: (Uint8Array | undefined)[] = [];
  #wake: () => void = () => {};

  push(bytes: Uint8Array | undefined): void {
    this.#pieces.push(bytes);
    this.#wake();
  }

  async read(): Promise<Uint8Array | undefined> {
    while (this.#pieces.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#pieces[0] === undefined) return undefined;
    return this.#pieces.shift();
  }
}

/** Two ends of a connection. */
export function connectionPair(): [HostConnection, HostConnection] {
  const [there, back] = [new Pipe(), new Pipe()];
  const end = (from: Pipe, to: Pipe): HostConnection => ({
    peer: '',
    read: () => from.read(),
    write: async (bytes) => to.push(bytes.slice()),
    end: async () => to.push(undefined),
    startTls: () => Promise.reject(new Error('there is no TLS')),
    close: async () => {
      to.push(undefined);
      from.push(undefined);
    },
  });
  return [end(there, back), end(back, there)];
}

class FakeListener implements HostListener {
  readonly address: string;
  readonly #waiting: HostConnection[] = [];
  #wake: () => void = () => {};
  #isClosed = false;

  constructor(address: string) {
    this.address = address;
  }

  connect(): HostConnection {
    const [near, far] = connectionPair();
    this.#waiting.push(near);
    this.#wake();
    return far;
  }

  async accept(): Promise<HostConnection> {
    for (;;) {
      const connection = this.#waiting.shift();
      if (connection) return connection;
      if (this.#isClosed) throw new RpcError('Closed', 'the listener is closed');
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
  }
}

type Message = Readonly<Record<string, unknown>>;

/** The ways in which one differs from what is usual. */
export interface FakeQemuOptions {
  /** Ends before it has connected, with these words. */
  readonly refusesToStart?: string;
  /** What it answers: an answer, or an error. Without one it returns nothing. */
  readonly answer?: (
    command: string,
    args: Message,
  ) => { readonly return?: unknown; readonly error?: Message } | undefined;
}

/** The program, and its workplace. */
export class FakeQemu implements HostWorkplace {
  /** The arguments of its runs. */
  readonly runs: (readonly string[])[] = [];
  /** The commands that it was given. */
  readonly commands: string[] = [];
  /** What was typed on its serial line. */
  typed = '';
  /** The state that it was given. */
  received = '';
  isClosed = false;
  readonly #options: FakeQemuOptions;
  readonly #listeners = new Map<string, FakeListener>();
  readonly #errors = new Pipe();
  readonly #output = new Pipe();
  #end: (end: HostProcessEnd) => void = () => {};
  readonly #ended = new Promise<HostProcessEnd>((resolve) => (this.#end = resolve));
  #control: HostConnection | undefined;
  #serial: HostConnection | undefined;
  #state = new FakeListener('state');

  constructor(options: FakeQemuOptions = {}) {
    this.#options = options;
  }

  readonly directory: HostWorkplace['directory'] = {
    writeable: true,
    list: async () => [],
    status: () => Promise.reject(new Error('unused')),
    makeDirectory: () => Promise.reject(new Error('unused')),
    remove: () => Promise.reject(new Error('unused')),
    rename: () => Promise.reject(new Error('unused')),
    close: async () => {},
    openFile: async (): Promise<HostFile> => ({
      writeable: true,
      sizeBytes: 0,
      size: async () => 0,
      onResized: () => () => {},
      read: async () => {},
      write: async () => {},
      sync: async () => {},
      zero: async () => true,
      discard: async () => true,
      resize: async () => {},
      close: async () => {},
    }),
  };

  async listen(name: string): Promise<HostListener> {
    const listener = new FakeListener(name);
    this.#listeners.set(name, listener);
    return listener;
  }

  async connect(): Promise<HostConnection> {
    return this.#state.connect();
  }

  async run(args: readonly string[] = []): Promise<HostProcess> {
    this.runs.push(args);
    const { refusesToStart } = this.#options;
    if (refusesToStart !== undefined) this.say(refusesToStart);
    if (refusesToStart !== undefined) this.exit({ code: 1, signal: undefined });
    else void this.#come(args.includes('-serial'));
    const input = { write: async () => {}, end: async () => {} };
    return {
      input,
      output: this.#output,
      errors: this.#errors,
      ended: this.#ended,
      cpuUs: async () => 1_230_000,
      kill: () => {},
    };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.exit({ code: undefined, signal: 'SIGKILL' });
  }

  /** Writes to its standard error. */
  say(text: string): void {
    this.#errors.push(new TextEncoder().encode(`${text}\n`));
  }

  /** Ends: its connections break, and its output. */
  exit(end: HostProcessEnd): void {
    for (const pipe of [this.#errors, this.#output]) pipe.push(undefined);
    for (const connection of [this.#control, this.#serial]) void connection?.close();
    this.#end(end);
  }

  /** Tells of an event. */
  event(name: string, data: Message = {}): void {
    this.line(JSON.stringify({ timestamp: { seconds: 1, microseconds: 0 }, event: name, data }));
  }

  /** Writes a line to its control connection. */
  line(text: string): void {
    void this.#control?.write(new TextEncoder().encode(`${text}\n`));
  }

  /** The guest writes to its serial line. */
  write(text: string): void {
    void this.#serial?.write(new TextEncoder().encode(text));
  }

  async #come(hasSerial: boolean): Promise<void> {
    if (hasSerial) this.#serial = this.#listeners.get('serial')?.connect();
    this.#control = this.#listeners.get('qmp')?.connect();
    void this.#takeTyped();
    const qemu = { major: 7, minor: 2, micro: 22 };
    this.line(JSON.stringify({ QMP: { version: { qemu, package: 'fake' }, capabilities: ['oob'] } }));
    let rest = '';
    for (let bytes = await this.#control?.read(); bytes; bytes = await this.#control?.read()) {
      const lines = (rest + new TextDecoder().decode(bytes)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#obey(line);
    }
  }

  async #takeTyped(): Promise<void> {
    for (let bytes = await this.#serial?.read(); bytes; bytes = await this.#serial?.read())
      this.typed += new TextDecoder().decode(bytes);
  }

  #obey(line: string): void {
    // What we have written ourselves.
    const message = JSON.parse(line) as { execute: string; arguments: Message; id: number };
    const { execute: command, id } = message;
    this.commands.push(command);
    const answer = this.#options.answer?.(command, message.arguments) ?? { return: {} };
    if ('error' in answer) return this.line(JSON.stringify({ ...answer, id }));
    this.#act(command);
    this.line(JSON.stringify({ ...answer, id }));
    if (command === 'quit') this.exit({ code: 0, signal: undefined });
  }

  /** Events come before the answer. */
  #act(command: string): void {
    if (command === 'stop') this.event('STOP');
    if (command === 'cont') this.event('RESUME');
    if (command === 'system_reset') this.event('RESET', { guest: false, reason: 'host-qmp-system-reset' });
    if (command === 'system_powerdown') this.event('POWERDOWN');
    if (command === 'migrate') void this.#send();
    if (command === 'migrate-incoming') void this.#receive();
  }

  async #send(): Promise<void> {
    const connection = this.#listeners.get('state')?.connect();
    await connection?.write(new TextEncoder().encode('the state of '));
    await connection?.write(new TextEncoder().encode('a machine'));
    await connection?.end();
    this.event('MIGRATION', { status: 'completed' });
  }

  async #receive(): Promise<void> {
    const connection = await this.#state.accept();
    for (let bytes = await connection.read(); bytes; bytes = await connection.read())
      this.received += new TextDecoder().decode(bytes);
    this.event('MIGRATION', { status: this.received.includes('bad') ? 'failed' : 'completed' });
  }
}
