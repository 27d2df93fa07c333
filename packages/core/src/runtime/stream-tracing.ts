/** The packets of a session's streams, as the tracer of their component sees them. */
import { type Packet, PACKET_STATUS, type StreamTrace } from '../packet-stream/index.ts';
import type { PacketHappening } from '../trace/policy.ts';
import type { Tracer } from '../trace/tracer.ts';

/** Tells the tracer of the packets of one stream. */
export class StreamTracing implements StreamTrace {
  readonly #tracer: Tracer;
  readonly #service: string;
  readonly #peer: number;

  /** `peer` is the component at the other end of the stream; 0 where it is not known. */
  constructor(tracer: Tracer, service: string, peer: number) {
    this.#tracer = tracer;
    this.#service = service;
    this.#peer = peer;
  }

  get on(): boolean {
    return this.#tracer.on;
  }

  submitted(packet: Packet): void {
    this.#tracer.packetSubmit(this.#happening(packet));
  }

  acknowledged(packet: Packet): void {
    this.#tracer.packetAcknowledge(this.#happening(packet), packet.status !== PACKET_STATUS.ok);
  }

  #happening(packet: Packet): PacketHappening {
    const { operation, tag, position, count, size, length, status } = packet;
    return {
      service: this.#service,
      peer: this.#peer,
      operation,
      tag,
      position,
      count,
      size,
      length,
      status,
    };
  }
}
