/**
 * The client of QMP, QEMU's control protocol: a JSON object a line. The server greets; after
 * `qmp_capabilities` it takes commands, which have an `id`, and answers each by that. Between the
 * answers come events: an event that a command brings about (STOP, RESUME, POWERDOWN) comes before
 * the answer. A guest that has broken into QEMU could write anything here, so lines are bounded,
 * and whatever is not in the protocol ends the connection. (Source: docs/interop/qmp-spec.txt of
 * QEMU 7.2.)
 */
import { isRecord } from '@ginit/core';
import { type Deferred, quietDeferred } from '@ginit/core/async';
import type { HostConnection } from '@ginit/core/host';

/** The longest line that is taken. */
const LINE_BYTES_MAX = 1024 * 1024;

/** The ways in which a connection or a command fails. */
export type QmpErrorCode =
  /** QEMU has refused the command. */
  | 'Refused'
  /** The other end does not keep to the protocol. */
  | 'Protocol'
  /** The connection has ended. */
  | 'Ended';

/** A command has failed. */
export class QmpError extends Error {
  override readonly name = 'QmpError';
  readonly code: QmpErrorCode;

  constructor(code: QmpErrorCode, text: string) {
    super(text);
    this.code = code;
  }
}

/** Something that QEMU tells by itself. */
export interface QmpEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The part of a connection that is used. */
export type QmpConnection = Pick<HostConnection, 'read' | 'write' | 'close'>;

/** A connection to one QEMU. */
export class QmpClient {
  readonly #connection: QmpConnection;
  readonly #event: (event: QmpEvent) => void;
  readonly #greeting = quietDeferred<string>();
  readonly #pending = new Map<number, Deferred<unknown>>();
  #lastId = 0;
  #failure: QmpError | undefined;

  /**
   * Shakes hands. `event` is told of events in the order in which they come. Rejects with
   * `QmpError`.
   */
  static async open(connection: QmpConnection, event: (event: QmpEvent) => void): Promise<QmpClient> {
    const client = new QmpClient(connection, event);
    void client.#readAll();
    await client.#greeting.promise;
    await client.execute('qmp_capabilities');
    return client;
  }

  private constructor(connection: QmpConnection, event: (event: QmpEvent) => void) {
    this.#connection = connection;
    this.#event = event;
  }

  /** The version of QEMU, as in its greeting. */
  get version(): Promise<string> {
    return this.#greeting.promise;
  }

  /** Has a command carried out; settles with what it returns. Rejects with `QmpError`. */
  execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = ++this.#lastId;
    const answer = quietDeferred<unknown>();
    this.#pending.set(id, answer);
    const line = new TextEncoder().encode(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    this.#connection.write(line).catch(() => this.#end(new QmpError('Ended', 'QEMU takes no more commands')));
    return answer.promise;
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    this.#end(new QmpError('Ended', 'the connection to QEMU is closed'));
    await this.#connection.close();
  }

  async #readAll(): Promise<void> {
    let problem = new QmpError('Ended', 'QEMU has closed its control connection');
    try {
      await this.#readLines();
    } catch (error) {
      problem =
        error instanceof QmpError ? error : new QmpError('Ended', 'the connection to QEMU has failed');
    }
    this.#end(problem);
    await this.#connection.close();
  }

  async #readLines(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for (;;) {
      const bytes = await this.#connection.read();
      if (bytes === undefined || this.#failure) return;
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if ([rest, ...lines].some((line) => line.length > LINE_BYTES_MAX)) {
        throw new QmpError('Protocol', `QEMU writes a line of more than ${LINE_BYTES_MAX} characters`);
      }
      for (const line of lines) if (line.trim() !== '') this.#take(line);
    }
  }

  #take(line: string): void {
    const message = parsed(line);
    if (isRecord(message['QMP'])) return this.#greeting.resolve(versionOf(message['QMP']));
    if (typeof message['event'] === 'string') {
      const data = message['data'];
      return this.#event({ name: message['event'], data: isRecord(data) ? data : {} });
    }
    const id = message['id'];
    const answer = typeof id === 'number' ? this.#pending.get(id) : undefined;
    if (typeof id !== 'number' || !answer)
      throw new QmpError('Protocol', 'QEMU answers what nobody has asked');
    this.#pending.delete(id);
    if ('return' in message) answer.resolve(message['return']);
    else answer.reject(new QmpError('Refused', refusal(message['error'])));
  }

  #end(problem: QmpError): void {
    this.#failure ??= problem;
    this.#greeting.reject(problem);
    for (const answer of this.#pending.values()) answer.reject(problem);
    this.#pending.clear();
  }
}

function parsed(line: string): Readonly<Record<string, unknown>> {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw new QmpError('Protocol', 'QEMU writes a line that is no JSON');
  }
  if (isRecord(message)) return message;
  throw new QmpError('Protocol', 'QEMU writes a line that is no message');
}

function refusal(error: unknown): string {
  const text = isRecord(error) ? error['desc'] : undefined;
  return typeof text === 'string' ? text : 'QEMU refuses without a reason';
}

/** "7.2.22", of the greeting. */
function versionOf({ version }: Readonly<Record<string, unknown>>): string {
  const qemu = isRecord(version) ? version['qemu'] : undefined;
  if (!isRecord(qemu)) return 'of unknown version';
  return [qemu['major'], qemu['minor'], qemu['micro']].map(String).join('.');
}
