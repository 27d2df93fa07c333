import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Packet, PacketRequests, PACKET_STATUS, type StreamClosure } from '../src/packet-stream/index.ts';
import { CARRIERS, OPERATION, type TestStream, testStream } from './packet-stream-links.ts';

class Gone extends Error {
  constructor(closure: StreamClosure) {
    super(`stream ended: ${closure}`);
  }
}

const PARAMETERS = { bulkBytes: 1024, queueSlots: 4, alignLog2: 6 };
const closedError = (closure: StreamClosure): Error => new Gone(closure);

/** Holds what is asked for until `answerAll`, which fills READs with their `argument`. */
function serve(stream: TestStream, answerLastFirst: boolean): { answerAll(): void; started: number[] } {
  const held: Packet[] = [];
  const started: number[] = [];
  stream.sink.onWake(() => {
    for (let packet = new Packet(); stream.sink.next(packet); packet = new Packet()) {
      started.push(packet.argument);
      held.push(packet);
    }
  });
  const answerAll = (): void => {
    for (const packet of answerLastFirst ? held.toReversed() : held) {
      if (packet.operation === OPERATION.read) stream.sink.payload(packet).fill(packet.argument);
      packet.length = packet.size;
      packet.status = PACKET_STATUS.ok;
      stream.sink.acknowledge(packet);
    }
    held.length = 0;
    stream.sink.wakeup();
  };
  return { answerAll, started };
}

function read(requests: PacketRequests, argument: number, size: number): Promise<number> {
  return requests.perform(
    size,
    (packet) => {
      packet.operation = OPERATION.read;
      packet.argument = argument;
    },
    (packet, payload) => {
      expect(packet.status).toBe(PACKET_STATUS.ok);
      expect(payload.every((byte) => byte === argument)).toBe(true);
      return packet.argument;
    },
  );
}

describe.each(CARRIERS)('requests over %s', (_name, shared) => {
  test('each gets its own answer, starts in order and shares the room', async () => {
    const work = fc.array(fc.oneof(fc.nat(200), fc.constant(1024), fc.constant(0)), {
      minLength: 1,
      maxLength: 50,
    });
    await fc.assert(
      fc.asyncProperty(
        work,
        fc.boolean(),
        fc.integer({ min: 1, max: 10 }),
        async (sizes, lastFirst, inFlightMax) => {
          const stream = testStream(shared, PARAMETERS);
          const server = serve(stream, lastFirst);
          const requests = new PacketRequests(stream.source, { closedError, inFlightMax });
          let most = 0;
          const results = sizes.map((size, index) => read(requests, index, size));
          for (let round = 0; round < 200 && requests.inFlight + requests.waiting > 0; round++) {
            most = Math.max(most, requests.inFlight);
            await stream.settle();
            server.answerAll();
            await stream.settle();
          }
          expect(await Promise.all(results)).toEqual(sizes.map((_, index) => index));
          expect(server.started).toEqual(sizes.map((_, index) => index));
          expect(most).toBeLessThanOrEqual(inFlightMax);
          expect(stream.source.usedBytes).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('all settle when the stream ends, whoever ends it', async () => {
    for (const end of ['source', 'peer', 'lie'] as const) {
      const stream = testStream(shared, PARAMETERS);
      serve(stream, false);
      const requests = new PacketRequests(stream.source, { closedError });
      const results = Array.from({ length: 20 }, (_, index) => read(requests, index, 512));
      await stream.settle();
      if (end === 'source') requests.close();
      else if (end === 'peer') stream.sourceLink.closed?.();
      else {
        Atomics.store(new Int32Array(stream.sourceLink.memory), 16, 99);
        stream.sinkLink.send(new Uint8Array(shared ? 0 : 3));
        Atomics.store(new Int32Array(stream.sourceLink.memory), 32, 0);
        await stream.settle();
      }
      const settled = await Promise.allSettled(results);
      for (const result of settled) {
        expect(result.status === 'rejected' && result.reason instanceof Gone).toBe(true);
      }
      await expect(read(requests, 1, 1)).rejects.toThrow('stream ended');
      expect([requests.inFlight, requests.waiting]).toEqual([0, 0]);
    }
  });

  test('a request may be made while another one completes, prepares or fails', async () => {
    const stream = testStream(shared, PARAMETERS);
    const server = serve(stream, false);
    const requests = new PacketRequests(stream.source, { closedError });
    const results: Promise<number>[] = [];
    const outer = requests.perform(
      512,
      (packet) => {
        packet.operation = OPERATION.read;
        packet.argument = 9;
        results.push(read(requests, 11, 64));
      },
      (packet) => {
        results.push(read(requests, 12, 64));
        return packet.argument;
      },
    );
    const failing = requests.perform(
      64,
      () => {
        throw new Error('not prepared');
      },
      () => 0,
    );
    const unhappy = requests.perform(
      64,
      (packet) => {
        packet.operation = OPERATION.read;
      },
      () => {
        throw new Error('not completed');
      },
    );
    const outcome = Promise.allSettled([outer, failing, unhappy]);
    for (let round = 0; round < 4; round++) {
      await stream.settle();
      server.answerAll();
    }
    const [first, second, third] = await outcome;
    expect(first).toEqual({ status: 'fulfilled', value: 9 });
    expect(second).toMatchObject({ status: 'rejected', reason: { message: 'not prepared' } });
    expect(third).toMatchObject({ status: 'rejected', reason: { message: 'not completed' } });
    expect(await Promise.all(results)).toEqual([11, 12]);
    expect(stream.source.usedBytes).toBe(0);
  });

  test('closing from within prepare or complete leaves nothing open', async () => {
    for (const where of ['prepare', 'complete'] as const) {
      const stream = testStream(shared, PARAMETERS);
      const server = serve(stream, false);
      const requests = new PacketRequests(stream.source, { closedError });
      const closing = requests.perform(
        1024,
        () => {
          if (where === 'prepare') requests.close();
        },
        () => {
          requests.close();
          return 1;
        },
      );
      const outcome = Promise.allSettled([closing, read(requests, 1, 1024), read(requests, 2, 64)]);
      await stream.settle();
      server.answerAll();
      await stream.settle();
      const states = (await outcome).map((result) => result.status);
      expect(states).toEqual([where === 'prepare' ? 'rejected' : 'fulfilled', 'rejected', 'rejected']);
    }
  });

  test('a request that can never fit, or is one too many, is rejected at once', async () => {
    const stream = testStream(shared, PARAMETERS);
    const requests = new PacketRequests(stream.source, { closedError, inFlightMax: 1, waitingMax: 1 });
    for (const size of [1025, -1, Number.NaN])
      await expect(read(requests, 0, size)).rejects.toThrow(RangeError);
    const outcome = Promise.allSettled([read(requests, 0, 1), read(requests, 1, 1)]);
    await expect(read(requests, 2, 1)).rejects.toThrow('too many requests');
    requests.close();
    expect((await outcome).map((result) => result.status)).toEqual(['rejected', 'rejected']);
  });

  test('unasked acknowledgements go to their handler', async () => {
    const stream = testStream(shared, PARAMETERS);
    const handles: number[] = [];
    const requests = new PacketRequests(stream.source, {
      closedError,
      unasked: (packet) => handles.push(packet.handle),
    });
    const packet = new Packet();
    packet.handle = 42;
    stream.sink.notify(packet);
    stream.sink.wakeup();
    await stream.settle();
    expect(handles).toEqual([42]);
    expect(requests.inFlight).toBe(0);
  });

  test('requests of one turn are sent in one batch', async () => {
    const stream = testStream(shared, PARAMETERS);
    serve(stream, false);
    const requests = new PacketRequests(stream.source, { closedError });
    await stream.settle();
    const before = stream.sourceLink.sent;
    const outcome = Promise.allSettled([1, 2, 3, 4].map((argument) => read(requests, argument, 64)));
    await stream.settle();
    expect(stream.sourceLink.sent).toBe(before + 1);
    requests.close();
    await outcome;
  });
});
