/** Terminal sessions: bytes in both directions, waits, sizes, and people who look. */
import { component, hasCode, PeerGone, RpcError, SessionError } from '@ginit/core';
import { runComponent, script } from '@ginit/core/testing';
import {
  ScrollBack,
  ServedTerminal,
  Terminal,
  TERMINAL_SIZE_DEFAULT,
  TerminalClient,
  WatchedTerminal,
} from '@ginit/core/terminal';
import { deferred } from '@ginit/core/async';
import type { Env } from '@ginit/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteQueue } from '../src/session/terminal/byte-queue.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : String(error)),
  );
const hasSettled = async (promise: Promise<unknown>): Promise<boolean> => {
  let settled = false;
  void promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
};

/** A component that hands out its environment and does nothing else. */
function bare() {
  const { promise, resolve } = deferred<Env>();
  return { component: component({ mayRequire: [Terminal] }, (env) => resolve(env)), env: promise };
}

type TerminalOptions = Parameters<typeof TerminalClient.connect>[1];

/** A component with a terminal, and the other end of that. */
async function connected(options?: TerminalOptions) {
  const { promise: served, resolve } = deferred<ServedTerminal>();
  const server = script(Terminal, (session) => {
    const made = new ServedTerminal(session);
    made.connect();
    resolve(made);
    return made.session;
  });
  const { component: using, env } = bare();
  const run = await runComponent(using, { services: [server] });
  const terminal = await TerminalClient.connect(await env, options);
  return { run, served: await served, terminal };
}

describe('the queues', () => {
  test('a byte queue gives out what it has taken in, in order and within its bound', () => {
    const steps = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 12 }).map((push) => ({ push })),
        fc.nat(12).map((take) => ({ take })),
      ),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), steps, (capacity, list) => {
        const queue = new ByteQueue(capacity);
        const model: number[] = [];
        for (const step of list) {
          if ('push' in step) {
            const taken = [...step.push].slice(0, capacity - model.length);
            expect(queue.push(step.push)).toBe(taken.length);
            model.push(...taken);
          } else expect([...queue.take(step.take)]).toEqual(model.splice(0, step.take));
          expect([queue.length, queue.room]).toEqual([model.length, capacity - model.length]);
        }
      }),
    );
  });

  test('a scroll-back gives the last bytes of a stream, and says how many are missing', () => {
    const appends = fc.array(fc.uint8Array({ maxLength: 20 }));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        appends,
        fc.nat(),
        fc.nat(20),
        (capacity, list, at, most) => {
          const kept = new ScrollBack(capacity);
          const stream: number[] = [];
          for (const bytes of list) {
            kept.append(bytes);
            stream.push(...bytes);
          }
          expect(kept.end).toBe(stream.length);
          const position = at % (stream.length + 1);
          const first = Math.max(position, stream.length - capacity, 0);
          const { bytes, lostBytes, next } = kept.from(position, most);
          expect([...bytes]).toEqual(stream.slice(first, first + most));
          expect([lostBytes, next]).toEqual([first - position, first + bytes.byteLength]);
        },
      ),
    );
  });
});

describe('a terminal', () => {
  test('is there for its client when there is one at the other end, and not before', async () => {
    let served: ServedTerminal | undefined;
    const server = script(Terminal, (session) => (served = new ServedTerminal(session)).session);
    const { component: using, env } = bare();
    await using run = await runComponent(using, { services: [server] });
    const connecting = TerminalClient.connect(await env, { label: 'serial' });
    await run.settle();
    expect(await hasSettled(connecting)).toBe(false);
    served?.connect();
    expect(await (await connecting).size()).toEqual(TERMINAL_SIZE_DEFAULT);
  });

  test('carries bytes both ways; a long write waits for the reader, a read for bytes, and writes keep their order', async () => {
    const { run, served, terminal } = await connected({ bufferBytes: 8 });
    await using _ = run;
    const writing = Promise.all([
      terminal.write(bytesOf('first, longer than 8; ')),
      terminal.write(bytesOf('second')),
    ]);
    await run.settle();
    expect(await hasSettled(writing)).toBe(false);
    let written = '';
    while (!written.endsWith('second')) {
      written += textOf(served.take());
      await run.settle();
    }
    await writing;
    expect(written).toBe('first, longer than 8; second');

    const reading = terminal.read();
    await run.settle();
    expect(await hasSettled(reading)).toBe(false);
    expect(served.push(bytesOf('0123456789'))).toBe(8);
    expect(textOf(await reading)).toBe('01234567');
    const bytes = served.push(bytesOf('abc'));
    expect([bytes, textOf(await terminal.read(2)), textOf(await terminal.read(2))]).toEqual([3, 'ab', 'c']);
  });

  test('tells its client of another size, at once if it is another already', async () => {
    const { run, served, terminal } = await connected();
    await using _ = run;
    const other = { columns: 132, lines: 43 };
    const change = terminal.resized(TERMINAL_SIZE_DEFAULT);
    await run.settle();
    expect(await hasSettled(change)).toBe(false);
    served.resize(TERMINAL_SIZE_DEFAULT);
    served.resize(other);
    expect(await change).toEqual(other);
    expect(await terminal.resized(TERMINAL_SIZE_DEFAULT)).toEqual(other);
  });

  test('that dies ends whatever its client waits for', async () => {
    const { run, terminal } = await connected({ bufferBytes: 4 });
    const waits = [
      terminal.read(),
      terminal.write(new Uint8Array(100)),
      terminal.write(new Uint8Array(1)),
      terminal.resized(TERMINAL_SIZE_DEFAULT),
    ].map(codeOf);
    await run.settle();
    await run.peer(Terminal).crash();
    expect(await Promise.all(waits)).toEqual(['PeerGone', 'PeerGone', 'PeerGone', 'PeerGone']);
    await run.end();
  });

  test('is paid for by its client, and refused with impossible buffers', async () => {
    const serving = component({ provides: [Terminal] }, (env) => {
      env.provide(Terminal, (session) => new WatchedTerminal(session).session);
    });
    await using run = await runComponent(serving);
    const before = await run.account();
    const payer = await run.client('payer');
    const session = await payer.connect(Terminal, { args: { buffer_size: 10_000, scroll_back: 50_000 } });
    expect((await run.account()).ramQuota - before.ramQuota).toBeGreaterThanOrEqual(70_000);
    await payer.env.close(session);
    expect((await run.account()).ramQuota).toBe(before.ramQuota);
    for (const args of [
      { buffer_size: 0 },
      { buffer_size: 2 ** 30 },
      { scroll_back: 'much' },
      { scroll_back: 1.5 },
    ]) {
      const refusal = await run.connect(Terminal, { args }).catch((error: unknown) => error);
      expect(refusal instanceof SessionError || hasCode(refusal, 'InvalidArgument'), String(refusal)).toBe(
        true,
      );
    }
  });
});

describe('people who look at a terminal', () => {
  const watched = (args = {}) => {
    const terminal = new WatchedTerminal({ args });
    const { session } = terminal;
    const close = async (): Promise<void> => session[Symbol.asyncDispose]?.();
    return { terminal, session, close };
  };
  const next = async (watcher: ReturnType<WatchedTerminal['watch']>, bytesMax = 100) => {
    const part = await watcher.next(bytesMax);
    return part && [textOf(part.bytes), part.lostBytes];
  };

  test('see what was written before they came and what comes, each at a pace of his own', async () => {
    const { terminal, session } = watched();
    await session.write(bytesOf('before '));
    const [first, second] = [terminal.watch(), terminal.watch()];
    expect(await next(first)).toEqual(['before ', 0]);
    await session.write(bytesOf('after'));
    expect(await next(first)).toEqual(['after', 0]);
    expect([await next(second, 4), await next(second)]).toEqual([
      ['befo', 0],
      ['re after', 0],
    ]);
    const waiting = next(second);
    expect(await hasSettled(waiting)).toBe(false);
    await session.write(bytesOf('!'));
    expect(await waiting).toEqual(['!', 0]);
  });

  test('never hold up who writes, and are told what they have missed', async () => {
    const { terminal, session } = watched({ scroll_back: 4, buffer_size: 100 });
    const watcher = terminal.watch();
    expect(await session.write(bytesOf('0123456789'))).toBe(10);
    expect(await session.write(bytesOf('ab'))).toBe(2);
    expect(await next(watcher)).toEqual(['89ab', 8]);
  });

  test('type, and wait while the component does not read', async () => {
    const { terminal, session } = watched({ buffer_size: 4 });
    const [one, other] = [terminal.watch(), terminal.watch()];
    const typing = one.type(bytesOf('longer'));
    expect(await hasSettled(typing)).toBe(false);
    expect(textOf(await session.read(100))).toBe('long');
    await typing;
    await other.type(bytesOf('!'));
    expect(textOf(await session.read(100))).toBe('er!');
  });

  test('make the terminal as small as the smallest window, until its owner leaves', async () => {
    const { terminal, session } = watched();
    const [one, other, third] = [terminal.watch(), terminal.watch(), terminal.watch()];
    expect(await session.size()).toEqual(TERMINAL_SIZE_DEFAULT);
    one.resize({ columns: 100, lines: 20 });
    other.resize({ columns: 90, lines: 50 });
    expect(await session.size()).toEqual({ columns: 90, lines: 20 });
    other.leave();
    expect(await session.size()).toEqual({ columns: 100, lines: 20 });
    one.leave();
    third.leave();
    expect(await session.size()).toEqual({ columns: 100, lines: 20 });
  });

  test('learn that the terminal is closed, and whatever they wait for ends; so it does when they leave', async () => {
    const { terminal, close, session } = watched({ buffer_size: 1 });
    const [watcher, leaving] = [terminal.watch(), terminal.watch()];
    const waits = [watcher.next(1), leaving.next(1)];
    const typing = watcher.type(bytesOf('ab')).catch((error: unknown) => error);
    const left = leaving.type(bytesOf('c')).catch((error: unknown) => error);
    leaving.leave();
    expect(await left).toBeInstanceOf(PeerGone);
    expect(await waits[1]).toBeUndefined();
    await session.write(bytesOf('z'));
    expect(textOf((await waits[0])?.bytes ?? new Uint8Array(0))).toBe('z');
    await close();
    expect(await typing).toBeInstanceOf(PeerGone);
    expect(await watcher.next(1)).toBeUndefined();
  });

  test('are so many at most, and make room when they leave', () => {
    const { terminal } = watched();
    const all = Array.from({ length: 16 }, () => terminal.watch());
    expect(() => terminal.watch()).toThrow('16 look at this terminal already');
    all[3]?.leave();
    expect(() => terminal.watch()).not.toThrow();
  });
});
