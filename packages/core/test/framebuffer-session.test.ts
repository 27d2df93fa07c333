/** Framebuffer sessions: pixels, modes, rectangles, and clients and servers that do not keep to them. */
import { component, type Env, RpcError, SessionError } from '@ginit/core';
import { deferred } from '@ginit/core/async';
import {
  Framebuffer,
  FramebufferClient,
  type FramebufferEvents,
  onScreen,
  ServedFramebuffer,
} from '@ginit/core/framebuffer';
import { runComponent, script } from '@ginit/core/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : String(error)),
  );

/** A server of screens, what its accounts say, and the environment of a client of it. */
async function served(events: FramebufferEvents = {}) {
  const screens: ServedFramebuffer[] = [];
  const server = component({ provides: [Framebuffer] }, (env) => {
    env.provide(Framebuffer, async (session) => {
      const screen = await ServedFramebuffer.open(env, session, events);
      screens.push(screen);
      return screen.session;
    });
  });
  const run = await runComponent(server);
  const { env } = await run.client('guest');
  return { run, screens, env };
}

describe('a screen', () => {
  test('shows what the client draws, and tells where', async () => {
    const drawn: unknown[] = [];
    const { run, screens, env } = await served({ refreshed: (changed) => drawn.push(changed) });
    await using _ = run;
    const client = await FramebufferClient.connect(env, { largest: { width: 4, height: 2 } });
    expect(client.mode).toEqual({ width: 4, height: 2 });
    client.pixels.set([1, 2, 3, 0], 4 * 5);
    await client.refresh({ x: 1, y: 1, width: 1, height: 1 });
    const { pixels, ...mode } = screens[0]?.picture() ?? { pixels: new Uint8Array(0) };
    expect(mode).toEqual({ width: 4, height: 2 });
    expect([...pixels.subarray(16)]).toEqual([0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // What lies outside is cut off, and nothing is told of a rectangle without pixels.
    await client.refresh({ x: 3, y: 0, width: 4096, height: 4096 });
    await client.refresh({ x: 4, y: 0, width: 1, height: 1 });
    await client.refresh({ x: 0, y: 0, width: 0, height: 1 });
    expect(drawn).toEqual([
      { x: 1, y: 1, width: 1, height: 1 },
      { x: 3, y: 0, width: 1, height: 2 },
    ]);
  });

  test('changes its mode at the wish of the client, within what is paid', async () => {
    const { run, screens, env } = await served();
    await using _ = run;
    const client = await FramebufferClient.connect(env, { largest: { width: 8, height: 4 } });
    // As many pixels in another form are paid for, too.
    expect(await client.request({ width: 4, height: 8 })).toEqual({ width: 4, height: 8 });
    expect(screens[0]?.mode).toEqual({ width: 4, height: 8 });
    expect(client.pixels.byteLength).toBe(4 * 32);
    expect(await codeOf(client.request({ width: 9, height: 4 }))).toBe('InvalidArgument');
    expect(client.mode).toEqual({ width: 4, height: 8 });
  });

  test('changes its mode at the wish of the server when the client takes it, not before', async () => {
    const { run, screens, env } = await served({ requested: () => ({ width: 2, height: 2 }) });
    await using _ = run;
    const client = await FramebufferClient.connect(env, { largest: { width: 4, height: 4 } });
    const [screen] = screens;
    let wakes = 0;
    screen?.offer({ width: 3, height: 3 });
    // The change has come before there was a handler.
    await client.onMode(env.signal(() => void wakes++));
    await run.settle();
    expect([wakes, screen?.mode]).toEqual([1, { width: 4, height: 4 }]);
    expect(await client.update()).toEqual({ width: 3, height: 3 });
    expect(screen?.mode).toEqual({ width: 3, height: 3 });
    screen?.offer({ width: 1, height: 1 });
    await run.settle();
    expect(wakes).toBe(2);
    // A server that has modes of its own gives one of these.
    expect(await client.request({ width: 4, height: 4 })).toEqual({ width: 2, height: 2 });
  });

  test('is paid by its client, and costs the server nothing when it is closed', async () => {
    const { run, env } = await served();
    await using _ = run;
    const before = await run.account();
    const client = await FramebufferClient.connect(env, { largest: { width: 100, height: 100 } });
    const during = await run.account();
    expect(during.ramUsed - before.ramUsed).toBeGreaterThanOrEqual(40_000);
    expect(during.ramQuota - during.ramUsed).toBeGreaterThanOrEqual(before.ramQuota - before.ramUsed);
    expect(during.capQuota - during.capUsed).toBeGreaterThanOrEqual(before.capQuota - before.capUsed);
    await client.close();
    expect(await run.account()).toEqual(before);
  });

  test('is denied with impossible arguments', async () => {
    const { run, env } = await served();
    await using _ = run;
    const impossible = [
      { args: { width: 0, height: 4 }, reason: /width is a number of pixels from 1 to 4096/ },
      { args: { width: 4, height: 1.5 }, reason: /height is a number/ },
      { args: { width: 5000, height: 1 }, reason: /width is a number/ },
      { args: { width: 'wide', height: 1 }, reason: /width is a number/ },
    ];
    for (const { args, reason } of impossible) {
      const refused = await env.connect(Framebuffer, { args }).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(SessionError);
      expect(String(refused)).toMatch(reason);
    }
  });

  test('is denied to a client that does not pay for its pixels', async () => {
    const { run, env } = await served();
    await using _ = run;
    const args = { width: 64, height: 64 };
    const donation = { ram: 8192, caps: 5 };
    expect(await codeOf(env.connect(Framebuffer, { args, donation }))).toBe('INSUFFICIENT_RAM');
    const few = { ram: 100_000, caps: 1 };
    expect(await codeOf(env.connect(Framebuffer, { args, donation: few }))).toBe('INSUFFICIENT_CAPS');
  });
});

test('a server that names a mode beyond its memory does not make the client write past its end', async () => {
  const modes = [
    { width: 2, height: 2 },
    { width: 2, height: 3 },
  ];
  const { promise: environment, resolve } = deferred<Env>();
  const using = component({ mayRequire: [Framebuffer] }, (env) => resolve(env));
  const server = script(Framebuffer, (_session, env) => ({
    mode: () => modes.shift() ?? { width: 4096, height: 4096 },
    request: () => ({ width: 4096, height: 1 }),
    dataspace: () => env.ram.allocate(16),
    setModeHandler: () => {},
    refresh: () => {},
  }));
  await using _ = await runComponent(using, { services: [server] });
  const client = await FramebufferClient.connect(await environment, { largest: { width: 2, height: 2 } });
  expect(await codeOf(client.update())).toBe('InvalidArgument');
  expect(await codeOf(client.request({ width: 1, height: 1 }))).toBe('InvalidArgument');
  expect(client.mode).toEqual({ width: 2, height: 2 });
  expect(client.pixels.byteLength).toBe(16);
});

test('the part of a rectangle that is on a screen is where both are', () => {
  const coordinate = fc.integer({ min: 0, max: 12 });
  const rectangle = fc.record({ x: coordinate, y: coordinate, width: coordinate, height: coordinate });
  const side = fc.integer({ min: 1, max: 10 });
  fc.assert(
    fc.property(rectangle, side, side, (asked, width, height) => {
      const inside = ({ x, y, width: w, height: h }: typeof asked, column: number, row: number): boolean =>
        column >= x && column < x + w && row >= y && row < y + h;
      const cut = onScreen(asked, { width, height });
      const [where, whereAsked] = [cut, asked].map((one) =>
        Array.from(
          { length: 625 },
          (_, at) => one !== undefined && inside(one, at % 25, Math.floor(at / 25)),
        ),
      );
      const onIt = whereAsked?.map((is, at) => is && at % 25 < width && Math.floor(at / 25) < height);
      expect(where).toEqual(onIt);
    }),
    { numRuns: 50 },
  );
});
