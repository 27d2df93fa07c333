import { PacketSink, PacketSource, streamMemoryBytes } from '../src/packet-stream.ts';
import { Block } from '../src/block.ts';
import { type StreamLink } from '../src/platform.ts';

/** One end of a link within this thread: frames arrive in a later turn. */
class TurnLink implements StreamLink {
  readonly shared: boolean;
  readonly memory: SharedArrayBuffer | ArrayBuffer;
  receive: ((frame: Uint8Array) => void) | undefined;
  closed: (() => void) | undefined;
  peer: TurnLink | undefined;
  ended = false;
  /** How many frames it has sent: over shared memory each is a wake-up. */
  sent = 0;

  constructor(shared: boolean, memory: SharedArrayBuffer | ArrayBuffer) {
    this.shared = shared;
    this.memory = memory;
  }

  send(frame: Uint8Array): void {
    this.sent++;
    const copy = frame.slice();
    const { peer } = this;
    setImmediate(() => {
      if (peer && !peer.ended) peer.receive?.(copy);
    });
  }

  close(): void {
    this.ended = true;
    const { peer } = this;
    setImmediate(() => {
      if (!peer || peer.ended) return;
      peer.ended = true;
      peer.closed?.();
    });
  }

  release(): void {}
}

export interface BlockStream {
  readonly source: PacketSource;
  readonly sink: PacketSink;
  /** How many frames each end has sent. */
  readonly sent: () => { readonly source: number; readonly sink: number };
}

/** The two ends of a Block session's stream, joined in this thread. */
export function blockStream(shared: boolean, bulkBytes = 2 ** 20): BlockStream {
  const { queueSlots, alignLog2, payloadDirection } = Block.members.tx;
  const parameters = { bulkBytes, queueSlots, alignLog2 };
  const bytes = streamMemoryBytes(parameters);
  const memory = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  const sourceLink = new TurnLink(shared, memory);
  const sinkLink = new TurnLink(shared, shared ? memory : new ArrayBuffer(bytes));
  sourceLink.peer = sinkLink;
  sinkLink.peer = sourceLink;
  return {
    source: new PacketSource(sourceLink, parameters, payloadDirection),
    sink: new PacketSink(sinkLink, parameters, payloadDirection),
    sent: () => ({ source: sourceLink.sent, sink: sinkLink.sent }),
  };
}
