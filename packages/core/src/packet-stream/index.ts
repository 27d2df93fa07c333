export { FRAME_BYTES_MAX } from './frame.ts';
export {
  type PacketStreamParameters,
  QUEUE_SLOTS_MAX,
  streamMemoryBytes,
  streamParametersProblem,
} from './layout.ts';
export { Packet, PACKET_STATUS, UNASKED_TAG } from './packet.ts';
export {
  type CompleteRequest,
  PacketRequests,
  type PacketRequestsOptions,
  type PrepareRequest,
} from './packet-requests.ts';
export { PacketService, type PacketServing, type ServedPacket } from './packet-service.ts';
export { PacketSink } from './packet-sink.ts';
export { PacketSource } from './packet-source.ts';
export type { PayloadDirection, StreamClosure, StreamLink } from './stream-link.ts';
export type { SinkWatch, SourceWatch, StreamPlace, StreamTrace } from './stream-watch.ts';
