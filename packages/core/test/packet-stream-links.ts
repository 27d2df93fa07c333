import {
  PacketSink,
  PacketSource,
  type PacketStreamParameters,
  type Packet,
  type PayloadDirection,
  type StreamLink,
  streamMemoryBytes,
} from '../src/packet-stream/index.ts';

/** Operations of the streams in these tests. */
export const OPERATION = { write: 1, read: 2, none: 3 } as const;

export const direction: PayloadDirection = {
  submitBytes: (packet: Packet) => (packet.operation === OPERATION.write ? packet.size : 0),
  acknowledgeBytes: (packet: Packet) => (packet.operation === OPERATION.read ? packet.length : 0),
};

/** One end of a link within this thread: what it sends waits until the test delivers it. */
export class TestLink implements StreamLink {
  readonly shared: boolean;
  readonly memory: SharedArrayBuffer | ArrayBuffer;
  readonly underWay: Uint8Array[] = [];
  receive: ((frame: Uint8Array) => void) | undefined;
  closed: (() => void) | undefined;
  closes = 0;
  releases = 0;
  sent = 0;
  hurries = 0;
  largestFrame = 0;

  constructor(shared: boolean, memory: SharedArrayBuffer | ArrayBuffer) {
    this.shared = shared;
    this.memory = memory;
  }

  send(frame: Uint8Array): void {
    if (this.closes > 0) throw new Error('sent after close');
    this.underWay.push(frame.slice());
    this.sent++;
    this.largestFrame = Math.max(this.largestFrame, frame.length);
  }

  hurry(): void {
    this.hurries++;
  }

  close(): void {
    this.closes++;
  }

  release(): void {
    this.releases++;
  }
}

export interface TestStream {
  readonly sourceLink: TestLink;
  readonly sinkLink: TestLink;
  readonly source: PacketSource;
  readonly sink: PacketSink;
  /** Delivers the oldest frame under way to the sink or to the source; false if there is none. */
  toSink(): boolean;
  toSource(): boolean;
  /** Delivers and lets scheduled handlers run until nothing moves any more. */
  settle(): Promise<void>;
}

export function testStream(shared: boolean, parameters: PacketStreamParameters): TestStream {
  const bytes = streamMemoryBytes(parameters);
  const memory = new SharedArrayBuffer(bytes);
  const sourceLink = new TestLink(shared, memory);
  const sinkLink = new TestLink(shared, shared ? memory : new ArrayBuffer(bytes));
  const deliver = (from: TestLink, to: TestLink): boolean => {
    const frame = from.underWay.shift();
    if (frame === undefined) return false;
    to.receive?.(frame);
    return true;
  };
  const toSink = (): boolean => deliver(sourceLink, sinkLink);
  const toSource = (): boolean => deliver(sinkLink, sourceLink);
  const settle = async (): Promise<void> => {
    for (let quiet = 0; quiet < 3; quiet++) {
      await Promise.resolve();
      while (toSink() || toSource()) quiet = 0;
    }
  };
  return {
    sourceLink,
    sinkLink,
    source: new PacketSource(sourceLink, parameters, direction),
    sink: new PacketSink(sinkLink, parameters, direction),
    toSink,
    toSource,
    settle,
  };
}

export const CARRIERS: [string, boolean][] = [
  ['shared memory', true],
  ['copying', false],
];
