/**
 * A peer that sends what it should not: each refused with its own error, and nothing left behind.
 */
import { closeSync, openSync } from 'node:fs';
import {
  checkMemory,
  closeDescriptor,
  createMemory,
  DescriptorSocket,
  SharedMemory,
  SharedMemoryError,
  TAG_BYTES_MAX,
} from 'sharedarraybuffer-polyfill';
import { describe, expect, test } from 'vitest';
import { Kernel } from '../src/kernel.ts';
import { holdings, holdingsAfter, skipReason } from './observe.ts';

const SIZE = 4096;
const tag = new TextEncoder().encode('tag');

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof SharedMemoryError ? error.code : `unexpected: ${error}`;
  }
  return 'no error';
}

function kernelHere(): Kernel {
  const kernel = Kernel.load();
  if (typeof kernel === 'string') throw new Error(kernel);
  return kernel;
}

/** Sends a message with so many copies of a descriptor, and so many bytes, as no `send` would. */
function sendRaw(kernel: Kernel, socket: number, fds: readonly number[], bytes: number): number {
  const buffer = Buffer.allocUnsafeSlow(72 + 16 + 1024 + 1024).fill(0);
  const address = BigInt(kernel.addressOf(buffer));
  buffer.writeBigUInt64LE(address + 56n, 16);
  buffer.writeBigUInt64LE(1n, 24);
  buffer.writeBigUInt64LE(address + 72n + 1040n, 56);
  buffer.writeBigUInt64LE(BigInt(bytes), 64);
  if (fds.length > 0) {
    buffer.writeBigUInt64LE(address + 72n, 32);
    buffer.writeBigUInt64LE(BigInt(16 + ((fds.length * 4 + 7) & ~7)), 40);
    buffer.writeBigUInt64LE(BigInt(16 + fds.length * 4), 72);
    buffer.writeInt32LE(1, 80);
    buffer.writeInt32LE(1, 84);
    fds.forEach((fd, index) => buffer.writeInt32LE(fd, 88 + index * 4));
  }
  return kernel.sendMessage(socket, buffer, 0);
}

describe.skipIf(skipReason)(`hostile peers (${skipReason ?? 'shared memory works here'})`, () => {
  test('what is no sealed memory file of the right size is refused, and closed', () => {
    const kernel = kernelHere();
    const before = holdings();
    const unsealed = kernel.memfdCreate('unsealed', 3);
    kernel.truncate(unsealed, SIZE);
    expect(codeOf(() => SharedMemory.open(unsealed, SIZE))).toBe('NotSealed');
    const unsealable = kernel.memfdCreate('unsealable', 1);
    kernel.truncate(unsealable, SIZE);
    expect(codeOf(() => SharedMemory.open(unsealable, SIZE))).toBe('NotSealed');
    expect(codeOf(() => SharedMemory.open(createMemory(SIZE * 2), SIZE))).toBe('WrongSize');
    expect(codeOf(() => SharedMemory.open(createMemory(SIZE - 1), SIZE))).toBe('WrongSize');
    expect(codeOf(() => SharedMemory.open(openSync('/dev/zero', 'r+'), SIZE))).toBe('NotMemory');
    expect(codeOf(() => SharedMemory.open(openSync(process.execPath, 'r'), SIZE))).toBe('NotMemory');
    expect(codeOf(() => SharedMemory.open(99_999, SIZE))).toBe('NotMemory');
    const memory = createMemory(SIZE);
    const reader = openSync(`/proc/self/fd/${memory}`, 'r');
    expect(codeOf(() => checkMemory(reader, SIZE, { writeable: true }))).toBe('ReadOnly');
    closeSync(reader);
    closeDescriptor(memory);
    expect(holdingsAfter(before)).toEqual(before);
  });

  test('messages with no descriptor, many, a long tag or none are refused one by one', () => {
    const kernel = kernelHere();
    const before = holdings();
    const { near, farDescriptor } = DescriptorSocket.pair();
    const fd = createMemory(SIZE);
    expect(sendRaw(kernel, farDescriptor, [], 3)).toBe(3);
    for (const count of [2, 3, 4, 5, 6, 100, 253]) {
      expect(
        sendRaw(
          kernel,
          farDescriptor,
          Array.from({ length: count }, () => fd),
          3,
        ),
      ).toBe(3);
    }
    expect(sendRaw(kernel, farDescriptor, [fd], TAG_BYTES_MAX + 1)).toBe(TAG_BYTES_MAX + 1);
    expect(sendRaw(kernel, farDescriptor, [fd], 0)).toBe(0);
    expect(sendRaw(kernel, farDescriptor, [fd], 3)).toBe(3);
    expect(codeOf(() => near.receive())).toBe('NoDescriptor');
    for (let i = 0; i < 7; i++) expect(codeOf(() => near.receive())).toBe('TooManyDescriptors');
    expect(codeOf(() => near.receive())).toBe('Malformed');
    expect(codeOf(() => near.receive())).toBe('Malformed');
    const received = near.receive();
    expect(received?.tag.byteLength).toBe(3);
    if (received) closeDescriptor(received.fd);
    expect(near.receive()).toBeUndefined();
    // Whatever nobody receives is closed with the socket.
    expect(sendRaw(kernel, farDescriptor, [fd, fd], 3)).toBe(3);
    closeDescriptor(farDescriptor);
    expect(codeOf(() => near.receive())).toBe('TooManyDescriptors');
    expect(codeOf(() => near.receive())).toBe('PeerGone');
    expect(codeOf(() => near.send(fd, tag))).toBe('PeerGone');
    near.close();
    expect(codeOf(() => near.receive())).toBe('Closed');
    closeDescriptor(fd);
    expect(holdingsAfter(before)).toEqual(before);
  });

  test('a reader that does not read makes send say so, without blocking', () => {
    const { near, farDescriptor } = DescriptorSocket.pair();
    const fd = createMemory(SIZE);
    let sent = 0;
    while (sent < 100_000 && near.send(fd, tag)) sent++;
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(100_000);
    expect(codeOf(() => near.send(fd, new Uint8Array(TAG_BYTES_MAX + 1)))).toBe('InvalidArgument');
    expect(codeOf(() => near.send(fd, new Uint8Array(0)))).toBe('InvalidArgument');
    closeDescriptor(fd);
    closeDescriptor(farDescriptor);
    near.close();
  });
});
