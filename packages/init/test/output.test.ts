/** What ginit writes, where nobody reads as fast as it writes. */
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { Output } from '../src/command/output.ts';

/** Takes a chunk when it is told to. */
function slowStream(): { stream: Writable; takeOne: () => void } {
  const taken: (() => void)[] = [];
  const stream = new Writable({
    highWaterMark: 8,
    write: (_chunk, _encoding, done) => void taken.push(done),
  });
  return { stream, takeOne: () => taken.shift()?.() };
}

test('all who wait for room wait together, and go on when there is some', async () => {
  const { stream, takeOne } = slowStream();
  const output = new Output(stream, slowStream().stream);
  let written = 0;
  for (let line = 0; line < 50; line++) void output.line('a line').then(() => written++);
  expect([stream.listenerCount('drain'), written]).toEqual([1, 0]);
  while (stream.writableLength > 0) {
    takeOne();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([stream.listenerCount('drain'), written]).toEqual([0, 50]);
});

test('who waits for room when the reader goes away waits no longer', async () => {
  const { stream } = slowStream();
  const output = new Output(stream, slowStream().stream);
  const waiting = [output.line('more than there is room for'), output.line('and more')];
  stream.destroy();
  await Promise.all(waiting);
  await output.line('nobody hears this');
});
