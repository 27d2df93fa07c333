/** A shared folder at a port of a machine, whatever the guest sends. */
import { describe, expect, test } from 'vitest';
import { SharePort } from '../src/engine/qemu/share-port.ts';
import { connectionPair } from './fake-qemu.ts';

const MESSAGE_BYTES = 100;

/** A message of so many bytes with a tag. */
const message = (size: number, tag: number): number[] =>
  Array.from({ length: size }, (_, index) => (index === 0 ? size : index === 5 ? tag : 0));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A port, whose server answers when the test says so. */
function port() {
  const [near, far] = connectionPair();
  const seen = { broken: [] as string[], lost: [] as string[], closed: 0, messages: [] as number[][] };
  const answers: ((answer: Uint8Array | Error) => void)[] = [];
  const makeServer = () => ({
    messageBytes: MESSAGE_BYTES,
    answer: (bytes: Uint8Array) => {
      seen.messages.push([...bytes]);
      return new Promise<Uint8Array>((resolve, reject) => {
        answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      });
    },
    close: async () => void seen.closed++,
  });
  const one = new SharePort(near, makeServer, {
    broken: (reason) => seen.broken.push(reason),
    lost: (error) => seen.lost.push(String(error)),
  });
  const served = one.serve();
  const say = async (...bytes: readonly number[]): Promise<void> => {
    await far.write(Uint8Array.from(bytes));
    for (let turns = 0; turns < 4; turns++) await turn();
  };
  const heard = async (): Promise<number[]> => [...((await far.read()) ?? [])];
  return { port: one, served, say, heard, far, answers, seen };
}

describe('a port of a shared folder', () => {
  test('finds messages in its stream, however they are cut, and answers out of order', async () => {
    const { say, heard, answers, seen } = port();
    const both = [...message(9, 1), ...message(20, 2)];
    for (const byte of both.slice(0, 15)) await say(byte);
    expect(seen.messages).toEqual([message(9, 1)]);
    await say(...both.slice(15), 7);
    expect(seen.messages).toEqual([message(9, 1), message(20, 2)]);
    answers[1]?.(Uint8Array.of(2));
    expect(await heard()).toEqual([2]);
    answers[0]?.(Uint8Array.of(1));
    expect(await heard()).toEqual([1]);
  });

  test.each([
    ['short', 6],
    ['long', MESSAGE_BYTES + 1],
  ])('listens to nothing behind a message that is too %s, until it is opened anew', async (_, size) => {
    const { port: one, say, seen } = port();
    await say(size, 0, 0, 0, ...message(9, 1));
    await say(...message(9, 2));
    expect(seen).toMatchObject({ broken: [`a message of ${size} bytes`], messages: [] });
    one.closed();
    await say(...message(9, 3));
    expect(seen.messages).toEqual([message(9, 3)]);
  });

  test('gives up what was begun when the guest closes it: neither half a message nor an answer is left', async () => {
    const { port: one, say, heard, answers, seen } = port();
    await say(...message(9, 1), ...message(50, 2).slice(0, 30));
    one.closed();
    expect(seen.closed).toBe(1);
    answers[0]?.(Uint8Array.of(1));
    await say(...message(9, 3));
    answers[1]?.(Uint8Array.of(3));
    expect(await heard()).toEqual([3]);
  });

  test('answers with an error when its server is lost, and says so', async () => {
    const { say, heard, answers, seen } = port();
    await say(...message(9, 5));
    answers[0]?.(new Error('it is gone'));
    expect(await heard()).toEqual([11, 0, 0, 0, 7, 5, 0, 5, 0, 0, 0]);
    expect(seen.lost).toEqual(['Error: it is gone']);
  });

  test('has so many messages answered at a time, and no more', async () => {
    const { say, answers, seen } = port();
    await say(...Array.from({ length: 100 }, () => message(7, 1)).flat());
    expect(seen.messages).toHaveLength(64);
    answers[0]?.(Uint8Array.of(1));
    await say();
    expect(seen.messages).toHaveLength(65);
  });

  test('ends with its connection, and closes what is open', async () => {
    const { served, far, seen } = port();
    await far.close();
    await served;
    expect(seen.closed).toBe(1);
  });
});
