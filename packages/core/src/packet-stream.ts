/**
 * Packet streams: bulk data between two components, in memory that both share. An interface
 * declares a stream by `packetStream`; the client submits packets at a `PacketSource` and gets them
 * acknowledged, the server takes them at a `PacketSink`.
 */
export { packetStream, type StreamDeclaration, type StreamRole } from './interface/stream.ts';
export { copyApart, copyInto } from './memory/copy-into.ts';
export {
  type CompleteRequest,
  Packet,
  PACKET_STATUS,
  PacketRequests,
  type PacketRequestsOptions,
  PacketService,
  type PacketServing,
  PacketSink,
  PacketSource,
  type PacketStreamParameters,
  type PayloadDirection,
  type PrepareRequest,
  type ServedPacket,
  type StreamClosure,
  streamMemoryBytes,
} from './packet-stream/index.ts';
