/**
 * Tests a link whose other end has the keys and breaks the protocol: the link ends, with what was
 * wrong, and nothing grows beyond its bounds. Nothing that it sends makes this end throw.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { LIMITS } from '../src/limits.ts';
import { DatagramKind, linkIdOf, readHeader, Seal, viewOf, writeU53 } from '../src/platform/nats/datagram.ts';
import type { LinkChannel } from '../src/platform/nats/link-channel.ts';
import { NodeLink } from '../src/platform/nats/node-link.ts';
import { ACKNOWLEDGEMENT_BYTES, RecordKind, RECORD_HEADER_BYTES } from '../src/platform/nats/records.ts';

const LINK_ID = new Uint8Array(8).fill(9);
const seal = (byte: number): Seal => new Seal(new Uint8Array(32).fill(byte), LINK_ID);

/** A link of this end, a hostile peer with its keys, and what has become of it. */
class Scene {
  readonly link: NodeLink;
  readonly opened: LinkChannel[] = [];
  readonly frames: number[] = [];
  violation: string | undefined;
  reason: string | undefined;
  nowUs = 0;
  #next = 1;
  #nextState = 1;
  readonly #turns: (() => void)[] = [];
  readonly #peer = seal(2);
  sentBytes = 0;

  constructor({ listens = true, datagramBytes = LIMITS.busDatagramBytes } = {}) {
    this.link = new NodeLink({
      side: 'responder',
      keys: { linkId: LINK_ID, outgoing: seal(1), incoming: seal(2) },
      leaseUs: 10_000_000,
      datagramBytes,
      windowBytes: LIMITS.busWindowBytes,
      clock: {
        nowUs: () => this.nowUs,
        after: () => () => {},
        soon: (turn) => this.#turns.push(turn),
        chance: (bytes) => new Uint8Array(bytes),
      },
      connected: () => true,
      transmit: (datagram) => (this.sentBytes += datagram.byteLength),
      confirmed: () => {},
      opened: (_ticket, channel) => {
        this.opened.push(channel);
        channel.closed(() => {});
        if (listens) channel.receive((frame) => this.frames.push(frame.byteLength));
        return undefined;
      },
      ended: (reason, violation) => {
        this.reason = reason;
        this.violation = violation;
      },
    });
  }

  data(body: Uint8Array): void {
    const number = this.#next++;
    this.link.receive(DatagramKind.data, number, this.#peer.close(DatagramKind.data, number, body));
    this.turn();
  }

  state(body: Uint8Array): void {
    const number = this.#nextState++;
    this.link.receive(DatagramKind.state, number, this.#peer.close(DatagramKind.state, number, body));
    this.turn();
  }

  turn(): void {
    for (const turn of this.#turns.splice(0)) turn();
  }
}

function record(kind: number, channel: number, bytes: Uint8Array = new Uint8Array(), flags = 0): Uint8Array {
  const made = new Uint8Array(RECORD_HEADER_BYTES + bytes.byteLength);
  const view = viewOf(made);
  view.setUint8(0, kind);
  view.setUint8(1, flags);
  view.setUint32(4, channel, true);
  view.setUint32(8, bytes.byteLength, true);
  made.set(bytes, RECORD_HEADER_BYTES);
  return made;
}

function bodyOf(records: readonly Uint8Array[], next = 1): Uint8Array {
  const acknowledgement = new Uint8Array(ACKNOWLEDGEMENT_BYTES);
  writeU53(viewOf(acknowledgement), 0, next);
  viewOf(acknowledgement).setUint32(8, LIMITS.busWindowBytes, true);
  return Buffer.concat([acknowledgement, ...records]);
}

const u53 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  writeU53(viewOf(bytes), 0, value);
  return bytes;
};

const LEAVES = 2;
/** The body of a state datagram. */
function stateOf(flags: number): Uint8Array {
  const rest = new Uint8Array(20);
  viewOf(rest).setUint32(16, flags, true);
  return Buffer.concat([bodyOf([]), rest]);
}

const open = (channel: number): Uint8Array => record(RecordKind.open, channel, Buffer.from('ticket'));
const part = (channel: number, bytes: number, flags = 1): Uint8Array =>
  record(RecordKind.part, channel, new Uint8Array(bytes), flags);

describe('a peer with the keys', () => {
  test.each<[string, readonly Uint8Array[], RegExp]>([
    ['a record of a channel that nobody has opened', [part(1, 8)], /channel 1, which nobody has opened/],
    ['a channel with a number of ours', [open(2)], /channel 2 is opened out of turn/],
    ['a channel twice', [open(3), open(3)], /channel 3 is opened out of turn/],
    ['a channel with a lower number than before', [open(5), open(3)], /channel 3 is opened out of turn/],
    ['an unknown record', [open(1), record(99, 1)], /a record of kind 99/],
    ['room that is taken back', [open(1), record(RecordKind.room, 1, u53(5))], /room that is taken back/],
    ['a short part of a long frame', [open(1), part(1, 1023, 0)], /a part that is too short/],
    ['an empty frame', [open(1), part(1, 0)], /a part that is too short/],
    ['malformed room', [open(1), record(RecordKind.room, 1, new Uint8Array(3))], /malformed room/],
    [
      'a long ticket',
      [record(RecordKind.open, 1, new Uint8Array(LIMITS.busTicketBytes + 1))],
      /ticket that is too long/,
    ],
    ['a record without an end', [open(1).subarray(0, 15)], /malformed record/],
  ])('sends %s: the link ends', (_, records, violation) => {
    const scene = new Scene();
    scene.data(bodyOf(records));
    expect(scene.violation).toMatch(violation);
    expect([scene.reason, scene.link.ended]).toEqual(['the node broke the protocol of links', true]);
  });

  test('acknowledges what was not sent: the link ends', () => {
    const scene = new Scene();
    scene.data(bodyOf([], 2));
    expect(scene.violation).toBe('an acknowledgement of what was not sent');
    const other = new Scene();
    other.state(new Uint8Array(5));
    expect(other.violation).toBe('a malformed state');
  });

  test('sends more than a window to somebody who does not listen: the link ends', () => {
    const scene = new Scene({ listens: false });
    scene.data(bodyOf([open(1)]));
    for (let time = 0; time < 9 && !scene.link.ended; time++) scene.data(bodyOf([part(1, 131_072)]));
    expect(scene.violation).toBe('more than there is room for');
  });

  test('sends a frame that never ends: the link ends at the bound of frames', () => {
    const scene = new Scene();
    scene.data(bodyOf([open(1)]));
    for (let time = 0; time < 200 && !scene.link.ended; time++) scene.data(bodyOf([part(1, 131_072, 0)]));
    expect(scene.violation).toBe(`a frame of more than ${LIMITS.frameBytes} bytes`);
  });

  test('leaves: whoever opens a channel just then is told, and does not wait for ever', () => {
    const scene = new Scene();
    scene.state(stateOf(LEAVES));
    expect(scene.reason).toBe('its node has left');
    expect(() => scene.link.open(Buffer.from('ticket'))).toThrow(
      expect.objectContaining({ code: 'PeerGone', executed: 'no' }),
    );
  });

  test('opens more channels than it may: the link ends', (context) => {
    skipIfLong(context);
    const scene = new Scene();
    for (let channel = 1; !scene.link.ended; channel += 2000) {
      scene.data(bodyOf(Array.from({ length: 1000 }, (_, index) => open(channel + 2 * index))));
    }
    expect(scene.violation).toBe('too many channels');
    expect(scene.opened.length).toBe(2 * LIMITS.busChannels);
  });

  test('sends anything at all, in any order: nothing throws, and what it gets in return is bounded', () => {
    const anyRecord = fc.oneof(
      fc
        .tuple(
          fc.integer({ min: 0, max: 6 }),
          fc.integer({ min: 0, max: 9 }),
          fc.uint8Array({ maxLength: 40 }),
          fc.integer({ min: 0, max: 3 }),
        )
        .map(([kind, channel, bytes, flags]) => record(kind, channel, bytes, flags)),
      fc.uint8Array({ maxLength: 40 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.array(anyRecord, { maxLength: 5 }))), (datagrams) => {
        const scene = new Scene();
        scene.data(bodyOf([open(1)]));
        for (const [isState, records] of datagrams) {
          if (isState) scene.state(Buffer.concat(records));
          else scene.data(bodyOf(records));
        }
        expect(scene.sentBytes).toBeLessThan(200 * (datagrams.length + 1));
      }),
      { numRuns: 150 },
    );
  });
});

test('a sealed datagram opens with its own number, kind and header only', () => {
  const body = Uint8Array.from({ length: 100 }, (_, index) => index);
  const datagram = seal(1).close(DatagramKind.data, 77, body);
  expect(readHeader(datagram)).toEqual({ version: 1, kind: DatagramKind.data, number: 77 });
  expect(linkIdOf(datagram)).toBe('0909090909090909');
  expect(seal(1).open(DatagramKind.data, 77, datagram)).toEqual(Buffer.from(body));
  expect(seal(1).open(DatagramKind.data, 78, datagram)).toBeUndefined();
  expect(seal(1).open(DatagramKind.state, 77, datagram)).toBeUndefined();
  expect(seal(2).open(DatagramKind.data, 77, datagram)).toBeUndefined();
  for (let at = 0; at < datagram.length; at++) {
    const changed = new Uint8Array(datagram);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(seal(1).open(DatagramKind.data, 77, changed), `byte ${at}`).toBeUndefined();
  }
});

test('a datagram that has no room for every record makes no link: it would wait for room for ever', () => {
  const { busDatagramBytesMin } = LIMITS;
  expect(() => new Scene({ datagramBytes: busDatagramBytesMin - 1 })).toThrow('too short');
  const scene = new Scene({ datagramBytes: busDatagramBytesMin });
  scene.data(bodyOf([open(1)]));
  scene.link.open(new Uint8Array(LIMITS.busTicketBytes)).send(new Uint8Array(100_000), []);
  scene.turn();
  expect(scene.sentBytes).toBeGreaterThan(100_000);
});
