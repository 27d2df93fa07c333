/** Packet streams: packets of all sizes, acknowledged in any order, or never asked after. */
import { RpcError } from '@ginit/core';
import { Packet, PacketRequests, PACKET_STATUS } from '@ginit/core/packet-stream';
import { Sink } from '../sessions.mjs';

/**
 * The value that the sink compares with what it reads: a number of the payload's first and last
 * bytes and its size.
 */
export function checksum(payload) {
  return payload.length === 0 ? 0 : ((payload[0] << 24) ^ (payload.at(-1) << 16) ^ payload.length) >>> 0;
}

async function open(actor, { peer, bufferBytes }) {
  const args = { tx_buf_size: bufferBytes };
  const { ok, value } = await actor.connect(Sink, { label: peer, args });
  if (ok) actor.tally.count('sessions');
  return value;
}

const shut = (actor, { peer }, session) =>
  actor.tally.attempt('close Sink', peer, () => actor.env.close(session));

/** Sends packets and waits for all of them. */
export async function packets(actor, step) {
  const { tally } = actor;
  const session = await open(actor, step);
  if (!session) return;
  const requests = new PacketRequests(session.tx, {
    closedError: (closure) => new RpcError('PeerGone', closure),
  });
  const send = (number) => {
    const size = (step.seed + number * 977) % Math.floor(step.bufferBytes / 4);
    const prepare = (packet, payload) => {
      payload.fill(step.seed + number);
      packet.argument = checksum(payload);
    };
    const complete = ({ status }) => {
      if (status !== PACKET_STATUS.ok) throw new Error(`status ${status}`);
      tally.count('packets');
    };
    return tally.attempt('packet', step.peer, () => requests.perform(size, prepare, complete));
  };
  await Promise.all(Array.from({ length: 8 * step.count }, (_, number) => send(number)));
  await shut(actor, step, session);
}

/** Submits packets, never takes an acknowledgement, and goes. */
export async function abandon(actor, step) {
  const session = await open(actor, step);
  if (!session) return;
  const source = session.tx;
  const packet = new Packet();
  for (let left = 4 * step.count; left > 0 && source.ready(); left--) {
    const size = Math.min(step.bytes + 1, 1024);
    const offset = source.allocate(size);
    if (offset < 0) break;
    packet.clear();
    packet.offset = offset;
    packet.size = size;
    packet.argument = checksum(source.payload(offset, size).fill(left));
    source.submit(packet);
  }
  source.wakeup();
  if (step.keep) await actor.call(step.peer, 'later', (peer) => peer.later(1));
  await shut(actor, step, session);
}

/** Serves a stream: takes what there is, looks at it, acknowledges it in another order. */
export function serveStream(sink) {
  sink.onWake(() => {
    const batch = [];
    for (let packet = new Packet(); sink.next(packet); packet = new Packet()) {
      const sound = packet.argument === checksum(sink.payload(packet));
      packet.status = sound ? PACKET_STATUS.ok : PACKET_STATUS.firstCode;
      batch.push(packet);
    }
    for (const packet of batch.toReversed()) sink.acknowledge(packet);
    sink.wakeup();
  });
}
