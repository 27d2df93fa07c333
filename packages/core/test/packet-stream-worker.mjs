/**
 * One end of a packet stream in a thread of its own, for packet-stream-threads.test.ts. The source
 * sends packets with payloads of random sizes; half of them carry a pattern that the sink checks,
 * half come back with a pattern that the source checks. The sink holds some packets back and
 * answers out of order.
 */
import { parentPort, workerData } from 'node:worker_threads';

const { library, role, port, memory, packets, parameters } = workerData;
const { Packet, PacketSink, PacketSource, PACKET_STATUS, streamMemoryBytes } = await import(library);

const WRITE = 1;
const READ = 2;
const direction = {
  submitBytes: (packet) => (packet.operation === WRITE ? packet.size : 0),
  acknowledgeBytes: (packet) => (packet.operation === READ ? packet.length : 0),
};

let frames = 0;
const link = {
  shared: memory !== undefined,
  memory: memory ?? new ArrayBuffer(streamMemoryBytes(parameters)),
  send(frame) {
    frames++;
    port.postMessage(frame.slice());
  },
  close() {},
  receive: undefined,
  closed: undefined,
};
port.on('message', (frame) => link.receive(frame));

let state = role === 'source' ? 12345 : 54321;
function random(limit) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

/**
 * Bytes that differ by packet and by place; a word at a time would hide torn payloads no better.
 */
function fill(bytes, seed) {
  for (let index = 0; index < bytes.length; index++) bytes[index] = seed + index * 7;
}

function check(bytes, seed) {
  for (let index = 0; index < bytes.length; index++) {
    if (bytes[index] !== ((seed + index * 7) & 255)) throw new Error(`wrong byte ${index} of ${seed}`);
  }
}

function runSource() {
  const source = new PacketSource(link, parameters, direction);
  const packet = new Packet();
  const answered = new Uint8Array(packets);
  let submitted = 0;
  let done = 0;
  const work = () => {
    while (source.nextAcknowledged(packet)) {
      const serial = packet.argument;
      if (answered[serial]++ !== 0) throw new Error(`packet ${serial} answered twice`);
      if (packet.status !== PACKET_STATUS.ok) throw new Error(`status ${packet.status}`);
      if (packet.operation === READ) check(source.payload(packet.offset, packet.size), serial * 3);
      if (packet.size > 0 && !source.free(packet.offset)) throw new Error('not allocated');
      done++;
    }
    while (submitted < packets && source.ready()) {
      const size = random(10) === 0 ? random(8192) : random(256);
      const offset = size > 0 ? source.allocate(size) : 0;
      if (offset < 0) break;
      packet.clear();
      packet.operation = submitted % 2 === 0 ? WRITE : READ;
      packet.argument = submitted;
      packet.offset = offset;
      packet.size = size;
      if (packet.operation === WRITE) fill(source.payload(offset, size), submitted);
      if (!source.submit(packet)) throw new Error('ready, but refused');
      submitted++;
    }
    if (done === packets) parentPort.postMessage({ packets: done, frames }, []);
  };
  source.onWake(work);
  work();
  source.wakeup();
}

function runSink() {
  const sink = new PacketSink(link, parameters, direction);
  const packet = new Packet();
  const held = [];
  let expected = 0;
  let done = 0;
  const answer = (request) => {
    if (request.operation === READ) fill(sink.payload(request), request.argument * 3);
    request.length = request.size;
    request.status = PACKET_STATUS.ok;
    sink.acknowledge(request);
    done++;
  };
  sink.onWake(() => {
    while (sink.next(packet)) {
      if (packet.argument !== expected++) throw new Error(`packet ${packet.argument} out of order`);
      if (packet.operation === WRITE) check(sink.payload(packet), packet.argument);
      if (random(3) === 0) held.push(new Packet().copyFrom(packet));
      else answer(packet);
      // Now and then the batch is ended in the middle.
      if (random(50) === 0) sink.wakeup();
    }
    while (held.length > 0) answer(held.splice(random(held.length), 1)[0]);
    if (done === packets) {
      sink.wakeup();
      parentPort.postMessage({ packets: done, frames }, []);
    }
  });
}

if (role === 'source') runSource();
else runSink();
