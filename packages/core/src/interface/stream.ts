/**
 * Declares the packet streams of a session interface. `tx`: the client is the source; `rx`: the
 * server is. The declaration has the parameters that both ends must agree on; the bulk buffer's
 * size is the client's choice in the session request (`tx_buf_size`, `rx_buf_size`), paid by its
 * donation.
 */
import type { PayloadDirection } from '../packet-stream/index.ts';

/** Which end is the source: the client of a `tx` stream, the server of an `rx` stream. */
export type StreamRole = 'tx' | 'rx';

/** The parameters of a declared stream that both ends know. */
export interface StreamDeclaration<Role extends StreamRole> {
  readonly kind: 'stream';
  readonly role: Role;
  /** Slots of the submit queue, and of the acknowledge queue. */
  readonly queueSlots: number;
  /** The size of the bulk buffer in bytes if the client does not say. */
  readonly defaultBulkBytes: number;
  /** Alignment of payloads in the bulk buffer, as a power of two. */
  readonly alignLog2: number;
  /** Which way payloads travel when the two ends share no memory. */
  readonly payloadDirection: PayloadDirection;
}

/** Options of `packetStream`. */
export type StreamOptions = Omit<StreamDeclaration<StreamRole>, 'kind' | 'role'>;

/** Declares a packet stream of a session. */
export function packetStream<const Role extends StreamRole>(
  role: Role,
  options: StreamOptions,
): StreamDeclaration<Role> {
  return { kind: 'stream', role, ...options };
}
