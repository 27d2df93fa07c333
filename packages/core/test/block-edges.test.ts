/**
 * The edges of Block's libraries: what is counted, what is refused, and errors that nobody meant.
 */
import { expect, test } from 'vitest';
import { ConfigNode, element, readConfig } from '../src/config/index.ts';
import { Label } from '../src/index.ts';
import {
  type BlockBackend,
  BlockClient,
  blockPolicy,
  BLOCK_POLICY_ELEMENTS,
  BLOCK_STATUS,
  serveBlock,
} from '../src/block.ts';
import { ServedRequest } from '../src/session/block/served-request.ts';
import { blockStream } from './block-stream.ts';

const SIZE = 512;
const INFO = { blockSize: SIZE, blockCount: 100, alignLog2: 12, writeable: true };

/** A device that answers when it is told to. */
function heldDevice(): { backend: BlockBackend; answer: () => void; asked: () => number } {
  const waiting: (() => void)[] = [];
  let asked = 0;
  const later = (): Promise<void> => {
    asked++;
    return new Promise((resolve) => waiting.push(resolve));
  };
  return {
    backend: { info: INFO, read: later, write: later, sync: later, trim: later, writeZeroes: later },
    answer: () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
    asked: () => asked,
  };
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((done) => setImmediate(done));
};

test('a client counts what is under way and what waits, and closes as it was told to', async () => {
  const { source, sink } = blockStream(true, 8 * 4096);
  const { backend, answer, asked } = heldDevice();
  serveBlock({ args: {}, streams: { tx: Promise.resolve(sink) } }, backend);
  let closes = 0;
  const client = new BlockClient(source, INFO, async () => {
    closes++;
    source.close();
  });
  expect(client.pending).toBe(0);
  const reads = Array.from({ length: 12 }, () => client.read(0, 1, new Uint8Array(SIZE)));
  await turns(3);
  expect(asked()).toBe(8);
  expect(client.waiting).toBe(4);
  expect(client.pending).toBe(12);
  for (let round = 0; round < 4; round++) {
    answer();
    await turns(3);
  }
  await Promise.all(reads);
  expect(client.pending).toBe(0);
  await client.close();
  expect(closes).toBe(1);
});

test('more requests than may wait are refused', async () => {
  const { source } = blockStream(true, 4096);
  const client = new BlockClient(source, INFO);
  const ends = Array.from({ length: 16_384 + 300 }, () => client.sync().catch((error: unknown) => error));
  const codes = Array.from({ length: 10 }, () => client.sync().catch((error: unknown) => error));
  expect(client.waiting).toBe(16_384);
  for (const error of await Promise.all(codes)) expect(error).toMatchObject({ code: 'LimitExceeded' });
  source.close();
  await Promise.all(ends);
});

test('a session without requests is closed at once', async () => {
  const { sink } = blockStream(true);
  let closed = 0;
  const session = serveBlock({ args: {}, streams: { tx: Promise.resolve(sink) } }, heldDevice().backend, {
    closed: () => void closed++,
  });
  await turns(1);
  await session[Symbol.asyncDispose]?.();
  expect(closed).toBe(1);
});

test('an undeclared error of a device is an input/output error for the client, and is thrown on at the server', async () => {
  const ends: number[] = [];
  const request = new ServedRequest((_request, status) => ends.push(status));
  expect(() =>
    request.offer(() => {
      throw new TypeError('a bug');
    }),
  ).toThrow('a bug');
  expect(ends).toEqual([BLOCK_STATUS.inputOutput]);
});

test('without policies every session may write, with policies only one that a policy allows to', () => {
  const policy = (attributes: Record<string, string>): ConfigNode => ConfigNode.make('policy', attributes);
  const schema = element('config', 'A server', { children: BLOCK_POLICY_ELEMENTS });
  const config = (...children: ConfigNode[]) => readConfig(ConfigNode.make('config', {}, children), schema);
  const label = new Label('fs -> disk');
  expect(blockPolicy(config(), label)).toBe(true);
  expect(blockPolicy(config(policy({ label_prefix: 'fs' })), label)).toBe(false);
  expect(blockPolicy(config(policy({ label_prefix: 'fs', writeable: 'yes' })), label)).toBe(true);
  expect(() => blockPolicy(config(policy({ label_prefix: 'other' })), label)).toThrow(
    expect.objectContaining({ code: 'DENIED' }),
  );
});
