/** One connection of a client, from the greeting to its end. */
import type { HostConnection, HostTls } from '@ginit/core/host';
import { ByteReader } from '../../lib/byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';
import { endedError, NbdConnectionError } from '../nbd-error.ts';
import { ServerHandshake } from './handshake.ts';
import type { NbdExport } from './nbd-device.ts';
import { ServerTransmission } from './transmission.ts';

/** The rules of a server that hold for all its connections. */
export interface ServerRules {
  readonly exports: () => readonly NbdExport[];
  readonly tls: HostTls | undefined;
}

export class ServerConnection {
  readonly #connection: HostConnection;
  readonly #rules: ServerRules;
  #transmission: ServerTransmission | undefined;

  constructor(connection: HostConnection, rules: ServerRules) {
    this.#connection = connection;
    this.#rules = rules;
  }

  /** Whether the client has picked an export. */
  get transmits(): boolean {
    return this.#transmission !== undefined;
  }

  /**
   * Serves the client until it leaves, and closes the connection. Settles when nothing of it is
   * under way. Rejects with the reason, for people, if the client is to blame.
   */
  async run(): Promise<void> {
    const connection = this.#connection;
    const reader = new ByteReader(connection, endedError);
    // Once nothing can be written, nothing is read either.
    const writer = new ByteWriter(connection, () => void connection.close());
    try {
      const { exports, tls } = this.#rules;
      const startTls = (how: HostTls): Promise<void> => connection.startTls(how);
      const agreed = await new ServerHandshake({ reader, writer, exports, tls, startTls }).run();
      if (!agreed) return;
      this.#transmission = new ServerTransmission(reader, writer, agreed);
      await this.#transmission.run();
      await connection.end();
    } catch (error) {
      // Where our own end closes the connection, or the other one has gone, nobody is to blame.
      if (error instanceof NbdConnectionError && error.code === 'Ended') return;
      throw error;
    } finally {
      await connection.close();
    }
  }

  /**
   * Answers the requests that are under way, and no others. Settles when that is done, which takes
   * as long as the client takes to read the answers; a client that has picked no export yet is
   * left.
   */
  async stop(): Promise<void> {
    await this.#transmission?.stop();
    await this.close();
  }

  /** Ends the connection at once. */
  close(): Promise<void> {
    return this.#connection.close();
  }
}
