/** Tests ginit's output when its reader is slower than ginit. */
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { Output } from '../src/command/output.ts';

/** A stream that takes a chunk when the test tells it to. */
function slowStream(): { stream: Writable; takeOne: () => void } {
  const taken: (() => void)[] = [];
  const stream = new Writable({
    highWaterMark: 8,
    write: (_chunk, _encoding, done) => void taken.push(done),
  });
  return { stream, takeOne: () => taken.shift()?.() };
}

const BLOCK = 'x'.repeat(16 * 1024 * 1024);

test('all writers that wait for room go on when there is some', async () => {
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

test('the lines of a text are made only when there is room, and stay together', async () => {
  const slow = slowStream();
  const written: string[] = [];
  const write = slow.stream.write.bind(slow.stream);
  slow.stream.write = (chunk: string) => {
    if (chunk.length < 100) written.push(chunk);
    return write(chunk);
  };
  const output = new Output(slow.stream, slowStream().stream);
  for (let line = 0; line < 8; line++) output.passingLine(BLOCK);
  const waiting = [output.lines('one\ntwo', '[a] '), output.lines('three\nfour', '[b] ')];
  await new Promise((resolve) => setImmediate(resolve));
  expect(written).toEqual([]);
  await readAll(slow);
  await Promise.all(waiting);
  expect(written.filter((line) => line.startsWith('['))).toEqual([
    '[a] one\n',
    '[a] two\n',
    '[b] three\n',
    '[b] four\n',
  ]);
});

test('a writer that waits for room goes on when the reader goes away', async () => {
  const { stream } = slowStream();
  const output = new Output(stream, slowStream().stream);
  const waiting = [output.line('more than there is room for'), output.line('and more')];
  stream.destroy();
  await Promise.all(waiting);
  await output.line('nobody hears this');
});

/** Reads everything that is written to a slow stream, until nobody has anything left to write. */
async function readAll({ stream, takeOne }: ReturnType<typeof slowStream>): Promise<void> {
  while (stream.writableLength > 0) {
    takeOne();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('lines that nobody waits for are dropped when the backlog is full; lines that somebody waits for come through', async () => {
  const slow = slowStream();
  const written: string[] = [];
  const write = slow.stream.write.bind(slow.stream);
  slow.stream.write = (chunk: string) => {
    written.push(chunk.length > 100 ? 'block' : chunk.trim());
    return write(chunk);
  };
  const output = new Output(slow.stream, slowStream().stream);
  for (let line = 0; line < 8; line++) output.passingLine(BLOCK);
  const waiting = [output.line('first'), output.line('second')];
  await new Promise((resolve) => setImmediate(resolve));
  // The reader begins to read again.
  await readAll(slow);
  await Promise.all(waiting);
  const warning = 'ginit: warning: 4 lines lost: nobody has read standard output';
  expect(written).toEqual([...Array.from({ length: 4 }, () => 'block'), warning, 'first', 'second']);
});

test('when ginit stops, writers no longer wait for room, and lines beyond the backlog are dropped', async () => {
  const { stream } = slowStream();
  const output = new Output(stream, slowStream().stream);
  for (let line = 0; line < 4; line++) output.passingLine(BLOCK);
  const lengthBefore = stream.writableLength;
  const waiting = output.line('too late');
  output.waitNoMore();
  await waiting;
  expect(stream.writableLength).toBe(lengthBefore);
});

test('the backlog of standard error is bounded, too, and it is said how many lines are lost', async () => {
  const slow = slowStream();
  const output = new Output(slowStream().stream, slow.stream);
  for (let line = 0; line < 8; line++) output.complaint(BLOCK);
  expect(slow.stream.writableLength).toBeLessThan(5 * BLOCK.length);
  await readAll(slow);
  const written: string[] = [];
  slow.stream.write = (chunk: string) => written.push(chunk) > 0;
  output.complaint('again');
  expect(written).toEqual([
    'ginit: warning: 4 lines lost: nobody has read standard error\n',
    'ginit: again\n',
  ]);
});
