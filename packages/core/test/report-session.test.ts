/** Report sessions: a component that reports, and one that takes reports. */
import {
  bytes,
  component,
  type Env,
  nothing,
  rpc,
  RpcError,
  session as declareSession,
  type Session,
  SessionError,
  type SessionInterface,
  type SessionOpening,
} from '@ginit/core';
import { deferred } from '@ginit/core/async';
import { ConfigNode, writeHid } from '@ginit/core/config';
import { Report, REPORT_BUFFER_BYTES_DEFAULT, Reporter, serveReport } from '@ginit/core/report';
import { runComponent, script } from '@ginit/core/testing';
import { describe, expect, test } from 'vitest';

const write = (node: ConfigNode): string => `<${node.type} n="${node.value('n') ?? ''}"/>`;
const stateOf = (n: number): ConfigNode => ConfigNode.make('state', { n });
const textOf = (content: Uint8Array): string => new TextDecoder().decode(content);
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : String(error)),
  );

/** A component that hands out its environment and does nothing else. */
function bare(): { readonly component: ReturnType<typeof component>; readonly env: Promise<Env> } {
  const { promise, resolve } = deferred<Env>();
  return { component: component({ mayRequire: [Report] }, (env) => resolve(env)), env: promise };
}

describe('a reporter', () => {
  test('opens its session with the first report, by its label and buffer, and pays for the buffer', async () => {
    const seen: unknown[] = [];
    const server = script(Report, ({ label, args, ram }) => {
      seen.push(label.text, args, ram);
      return { submit: (content) => void seen.push(textOf(content)) };
    });
    const { component: reporting, env } = bare();
    await using run = await runComponent(reporting, { services: [server] });
    const reporter = new Reporter(await env, 'state', { bufferBytes: 10_000, write });
    const before = await run.account();
    await run.settle();
    expect(seen).toEqual([]);
    await reporter.report(stateOf(1));
    expect(seen).toEqual(['component -> state', { buffer_size: 10_000 }, 0, '<state n="1"/>']);
    expect(before.ramQuota - (await run.account()).ramQuota).toBeGreaterThanOrEqual(10_000);
    await reporter.disable();
    expect(await run.account()).toEqual(before);
  });

  test('writes XML unless it is told another syntax', async () => {
    const seen: string[] = [];
    const server = script(Report, () => ({ submit: (content) => void seen.push(textOf(content)) }));
    const { component: reporting, env } = bare();
    await using _run = await runComponent(reporting, { services: [server] });
    await new Reporter(await env, 'xml').report(stateOf(1));
    await new Reporter(await env, 'hid', { write: writeHid }).report(stateOf(1));
    expect(seen).toEqual(['<state n="1"/>\n', 'state | n: 1\n-\n']);
  });

  test('sends only the newest of the reports that are made while one is on its way', async () => {
    const seen: string[] = [];
    let answer = (): void => {};
    const server = script(Report, () => ({
      submit: (content) => {
        seen.push(textOf(content));
        return new Promise<void>((resolve) => (answer = resolve));
      },
    }));
    const { component: reporting, env } = bare();
    await using run = await runComponent(reporting, { services: [server] });
    const reporter = new Reporter(await env, 'state', { write });
    const first = reporter.report(stateOf(1));
    await run.settle();
    const later = [2, 3, 4].map((n) => reporter.report(stateOf(n)));
    answer();
    await run.settle();
    answer();
    await Promise.all([first, ...later]);
    expect(seen).toEqual(['<state n="1"/>', '<state n="4"/>']);
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'sends a report that is made %i turns after the server has taken the one before',
    async (turns) => {
      const seen: number[] = [];
      const submit = (content: Uint8Array): Promise<void> => {
        seen.push(content.byteLength);
        if (seen.length === 1) void later();
        return Promise.resolve();
      };
      const server = { submit, [Symbol.dispose]: () => {} };
      // A session that answers at once, so that each turn of the end of a report can be met.
      const opening: SessionOpening = {
        connect: <I extends SessionInterface>() => Promise.resolve(server as unknown as Session<I>),
        close: () => Promise.resolve(),
      };
      const reporter = new Reporter(opening, 'state');
      const sent = deferred<void>();
      const later = async (): Promise<void> => {
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        await reporter.submit(new Uint8Array(2));
        sent.resolve();
      };
      await reporter.submit(new Uint8Array(1));
      await sent.promise;
      expect(seen).toEqual([1, 2]);
    },
  );

  test('refuses a report that is larger than its buffer with one error, and the one before stays', async () => {
    const seen: string[] = [];
    const server = script(Report, () => ({ submit: (content) => void seen.push(textOf(content)) }));
    const { component: reporting, env } = bare();
    await using run = await runComponent(reporting, { services: [server] });
    const reporter = new Reporter(await env, 'state', { bufferBytes: 20, write });
    await reporter.report(stateOf(1));
    const refused = reporter.submit(new Uint8Array(21));
    await expect(refused).rejects.toThrow('report "state" has 21 bytes, and its buffer only 20');
    expect(await codeOf(reporter.submit(new Uint8Array(21)))).toBe('Too_large');
    await reporter.report(stateOf(2));
    expect(seen).toEqual(['<state n="1"/>', '<state n="2"/>']);
    await run.settle();
  });

  test('that is disabled opens nothing and sends nothing until it is enabled', async () => {
    const seen: string[] = [];
    const server = script(Report, () => ({
      submit: (content) => void seen.push(textOf(content)),
      [Symbol.dispose]: () => void seen.push('closed'),
    }));
    const { component: reporting, env } = bare();
    await using run = await runComponent(reporting, { services: [server] });
    const reporter = new Reporter(await env, 'state', { enabled: false, write });
    await reporter.report(stateOf(1));
    expect((await run.account()).ramQuota).toBeGreaterThan(0);
    expect(seen).toEqual([]);
    reporter.enable();
    await reporter.report(stateOf(2));
    await reporter.disable();
    await reporter.report(stateOf(3));
    expect(seen).toEqual(['<state n="2"/>', 'closed']);
  });

  test('rejects when its server is gone or refuses, and asks for a new session with the next report', async () => {
    let refuse = true;
    const server = script(Report, () => {
      if (refuse) throw new SessionError('DENIED', 'not now');
      return { submit: () => {} };
    });
    const { component: reporting, env } = bare();
    const run = await runComponent(reporting, { services: [server] });
    const reporter = new Reporter(await env, 'state', { write });
    await expect(reporter.report(stateOf(1))).rejects.toThrow('not now');
    refuse = false;
    await reporter.report(stateOf(2));
    await run.peer(Report).crash();
    expect(await codeOf(reporter.report(stateOf(3)))).toBe('PeerGone');
    expect(await codeOf(reporter.report(stateOf(4)))).not.toBe('succeeded');
    expect((await run.end()).openSessions).toEqual([]);
  });
});

describe('a server of reports', () => {
  const taking = (seen: string[]) =>
    component({ provides: [Report] }, (env) => {
      env.provide(Report, (session) =>
        serveReport(session, {
          submit: (content) => void seen.push(`${session.label.last}: ${content.byteLength}`),
          closed: () => void seen.push(`${session.label.last} closed`),
        }),
      );
    });

  test('gets every report that fits the buffer, and none that does not', async () => {
    const seen: string[] = [];
    await using run = await runComponent(taking(seen));
    const session = await run.connect(Report, { label: 'small', args: { buffer_size: 8 } });
    await session.submit(new Uint8Array(8));
    expect(await codeOf(session.submit(new Uint8Array(9)))).toBe('Too_large');
    session[Symbol.dispose]();
    await run.settle();
    expect(seen).toEqual(['small: 8', 'small closed']);
  });

  test('is paid for the buffer of each session, and pays it back at its end', async () => {
    await using run = await runComponent(taking([]));
    const before = await run.account();
    const session = await run.connect(Report, { args: { buffer_size: 100_000 } });
    const during = await run.account();
    expect(during.ramUsed - before.ramUsed).toBeGreaterThanOrEqual(100_000);
    expect(during.ramQuota - during.ramUsed).toBe(before.ramQuota - before.ramUsed);
    session[Symbol.dispose]();
    await run.settle();
    expect(await run.account()).toEqual(before);
  });

  test('a session without a size has a buffer of 4 KiB', async () => {
    await using run = await runComponent(taking([]));
    const session = await run.connect(Report);
    await session.submit(new Uint8Array(REPORT_BUFFER_BYTES_DEFAULT));
    expect(await codeOf(session.submit(new Uint8Array(REPORT_BUFFER_BYTES_DEFAULT + 1)))).toBe('Too_large');
  });

  /** The interface as a client may have it that does not look at its own arguments. */
  const CarelessReport = declareSession('Report', {
    submit: rpc<(content: Uint8Array) => void>({ args: [bytes(2 ** 22)], result: nothing }),
  });

  test.each([0, -1, 1.5, 2 ** 40, 'big', true])('refuses a buffer size of %s', async (size) => {
    await using run = await runComponent(taking([]));
    const refused = run.connect(CarelessReport, { args: { buffer_size: size }, ram: 2 ** 20 });
    await expect(refused).rejects.toThrow('buffer_size is a number of bytes from 1 to');
    await expect(refused).rejects.toMatchObject({ code: 'DENIED' });
  });

  test('asks for more if the donation does not pay for the buffer', async () => {
    await using run = await runComponent(taking([]));
    const donation = { ram: 50_000, caps: 10 };
    const refused = run.connect(CarelessReport, { args: { buffer_size: 100_000 }, donation });
    await expect(refused).rejects.toMatchObject({ code: 'INSUFFICIENT_RAM' });
  });
});
