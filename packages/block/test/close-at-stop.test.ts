import { RpcError } from '@ginit/core';
import { expect, test } from 'vitest';
import { closeAtStop } from '../src/lib/close-at-stop.ts';

async function stopped(close: () => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  await closeAtStop({ error: async (text) => void lines.push(text) }, close);
  return lines;
}

test('a device that closes in order says nothing', async () => {
  expect(await stopped(async () => {})).toEqual([]);
});

test('writes that do not get through are told in one line', async () => {
  const lines = await stopped(async () => {
    throw new RpcError('Gone', 'there is no connection to the server');
  });
  expect(lines).toEqual(['writes since the last SYNC may be lost: there is no connection to the server']);
});

test('a fault of ours is not taken for one of the device', async () => {
  await expect(stopped(() => Promise.reject(new TypeError('no such thing')))).rejects.toThrow(TypeError);
});
