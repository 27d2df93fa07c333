/**
 * Tests the client's side of healing: sessions that go on in others when their servers go, and the
 * dialogue with the parent about them.
 */
import { component, type Env, PeerGone, rpc, type Session, session, SessionError, text } from '@ginit/core';
import { type BlockBackend, Block, BlockClient, serveBlock } from '@ginit/core/block';
import { Report, Reporter } from '@ginit/core/report';
import { LIMITS, Parent, SessionDialogue } from '@ginit/core/system';
import { runComponent, type RunningComponent, script } from '@ginit/core/testing';
import { expect, test } from 'vitest';
import { capabilityFor } from '../src/capability/capability.ts';
import { LocalReference } from '../src/capability/reference.ts';
import { SignalCapability } from '../src/capability/signal.ts';
import { SignalContext } from '../src/capability/signal-context.ts';
import { Reattachments } from '../src/runtime/reattachments.ts';
import { pairOf } from './channel-pair.ts';
import { uniformParent } from './test-parent.ts';

const Store = session('Store', { read: rpc<() => string>({ args: [], result: text() }) });
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A component with a session that goes on, and what it is told. */
async function reader(open: () => { read: () => string }) {
  const told: string[] = [];
  const own: { env?: Env; session?: Session<typeof Store> } = {};
  const run: RunningComponent = await runComponent(
    component({}, async (env) => {
      own.env = env;
      own.session = await env.connect(Store, {
        onReattach: async (next) => {
          own.session = next;
          told.push(await next.read());
        },
        onReattachRefused: ({ message }) => void told.push(message),
      });
    }),
    { services: [script(Store, open)] },
  );
  return { run, told, own };
}

test('a component is handed a session at each new server, and keeps nothing of the old ones', async () => {
  let servers = 0;
  const { run, told, own } = await reader(() => ({ read: () => `server ${servers}` }));
  const before = await run.account();
  for (servers = 1; servers <= 3; servers++) await run.restartPeer(Store);
  expect(told).toEqual(['server 1', 'server 2', 'server 3']);
  // The first session that goes on costs the handler that the parent wakes, and no later one.
  expect(await run.account()).toEqual(before);
  await own.env?.close(own.session ?? {});
  await run.restartPeer(Store);
  expect(told).toHaveLength(3);
  const { openSessions, unreleased, problems, crash } = await run.end();
  expect({ openSessions, unreleased, problems, crash }).toEqual({
    openSessions: [],
    unreleased: [],
    problems: [],
    crash: undefined,
  });
});

test('a session that the runtime has left is upgraded no more: the component is told that it is gone', async () => {
  let refuses = false;
  const { run, own, told } = await reader(() => {
    if (refuses) throw new SessionError('DENIED', 'full');
    return { read: () => 'read' };
  });
  await using _ = run;
  refuses = true;
  await run.restartPeer(Store);
  expect(told).toEqual(['Store session "": DENIED: full']);
  const upgrading = own.env?.upgrade(own.session ?? {}, { ram: 1, caps: 0 });
  await expect(upgrading).rejects.toBeInstanceOf(PeerGone);
  refuses = false;
  await run.restartPeer(Store);
  expect(told[1]).toBe('read');
});

test('without a handler for refusals the log says that there is no session, and why', async () => {
  let refuses = false;
  const peer = script(Store, () => {
    if (refuses) throw new SessionError('DENIED', 'full');
    return { read: () => 'read' };
  });
  const main = component({}, async (env) => void (await env.connect(Store, { onReattach: () => {} })));
  const run = await runComponent(main, { services: [peer] });
  await using _ = run;
  refuses = true;
  await run.restartPeer(Store);
  expect(run.log).toEqual([
    'Warning: Store session "" is lost, and there is no other for now: Store session "": DENIED: full',
  ]);
});

test('a handler that fails is told in the log, and the session that it was handed goes on', async () => {
  let handed = 0;
  const main = component({}, async (env) => {
    await env.connect(Store, {
      onReattach: () => {
        handed++;
        throw new Error('clumsy');
      },
    });
  });
  const run = await runComponent(main, { services: [script(Store, () => ({ read: () => 'read' }))] });
  await using _ = run;
  await run.restartPeer(Store);
  await run.restartPeer(Store);
  expect(handed).toBe(2);
  expect(run.log.filter((line) => line.startsWith('Error: Error: clumsy'))).toHaveLength(2);
});

test('a client of a disk is handed another one, which reads and writes; its requests of before end', async () => {
  const disk = new Uint8Array(8 * 512);
  const backend: BlockBackend = {
    info: { blockSize: 512, blockCount: 8, alignLog2: 9, writeable: true },
    read: (block, count, into) => into.set(disk.subarray(block * 512, (block + count) * 512)),
    write: (block, _, from) => disk.set(from, block * 512),
    sync: () => {},
    trim: () => {},
    writeZeroes: () => {},
  };
  const read: number[] = [];
  const own: { first?: BlockClient } = {};
  const main = component({}, async (env) => {
    own.first = await BlockClient.connect(env, {
      onReattach: async (next) => {
        const block = new Uint8Array(512);
        await next.read(3, 1, block);
        read.push(block[0] ?? 0);
        await next.write(3, 1, block.fill((block[0] ?? 0) + 1));
      },
    });
    await own.first.write(3, 1, new Uint8Array(512).fill(7));
  });
  const block = script(Block, (context) => serveBlock(context, backend));
  const run = await runComponent(main, { services: [block] });
  await run.restartPeer(Block);
  await run.restartPeer(Block);
  expect(read).toEqual([7, 8]);
  expect(disk[3 * 512]).toBe(9);
  await expect(own.first?.read(0, 1, new Uint8Array(512))).rejects.toBeInstanceOf(PeerGone);
  const { problems, unreleased, crash } = await run.end();
  expect({ problems, unreleased, crash }).toEqual({ problems: [], unreleased: [], crash: undefined });
});

test('a new server of reports is given the last one, without the component', async () => {
  const seen: string[] = [];
  const report = script(Report, () => ({
    submit: (content) => void seen.push(new TextDecoder().decode(content)),
  }));
  const own: { reporter?: Reporter } = {};
  const main = component({}, (env) => void (own.reporter = new Reporter(env, 'state')));
  const run = await runComponent(main, { services: [report] });
  await using _ = run;
  const say = (words: string): Promise<void> | undefined =>
    own.reporter?.submit(new TextEncoder().encode(words));
  await say('one');
  await say('two');
  await run.restartPeer(Report);
  await say('three');
  await run.restartPeer(Report);
  expect(seen).toEqual(['one', 'two', 'two', 'three', 'three']);
});

test('a report that is under way when its server goes is given to the next one', async () => {
  const seen: string[] = [];
  let servers = 0;
  const report = script(Report, () => {
    const isFirst = servers++ === 0;
    return {
      submit: async (content) => {
        const words = new TextDecoder().decode(content);
        if (isFirst && words === 'two') await new Promise(() => {});
        seen.push(words);
      },
    };
  });
  const own: { reporter?: Reporter } = {};
  const main = component({}, (env) => void (own.reporter = new Reporter(env, 'state')));
  const run = await runComponent(main, { services: [report] });
  await using _ = run;
  const say = (words: string): Promise<void> | undefined =>
    own.reporter?.submit(new TextEncoder().encode(words));
  await say('one');
  const lost = expect(say('two')).rejects.toBeInstanceOf(PeerGone);
  await run.settle();
  await run.restartPeer(Report);
  await lost;
  expect(seen).toEqual(['one', 'two']);
});

test('a disk whose next server goes while the client looks at it goes on at the one behind', async () => {
  let servers = 0;
  const block = script(Block, (context) => {
    const number = servers++;
    const served = serveBlock(context, {
      info: { blockSize: 512, blockCount: 8, alignLog2: 9, writeable: true },
      read: () => {},
      write: () => {},
      sync: () => {},
      trim: () => {},
      writeZeroes: () => {},
    });
    return number === 1 ? { ...served, info: () => new Promise<never>(() => {}) } : served;
  });
  let handed = 0;
  const main = component({}, async (env) => {
    await BlockClient.connect(env, { onReattach: () => void handed++ });
  });
  const run = await runComponent(main, { services: [block] });
  await using _ = run;
  await run.restartPeer(Block);
  expect([servers, handed]).toEqual([2, 0]);
  await run.restartPeer(Block);
  expect([servers, handed]).toEqual([3, 1]);
});

/** A handler that counts how often it was woken. */
function counter(): { readonly handler: SignalCapability; count: number } {
  const fail = (error: unknown): never => {
    throw error;
  };
  const context = new SignalContext(() => void it.count++, queueMicrotask, fail);
  const it = { count: 0, handler: new SignalCapability(new LocalReference(context)) };
  return it;
}

test('a parent tells what it has to tell as soon as there is a handler, and until the session is closed', async () => {
  const dialogue = new SessionDialogue();
  const { sessionHandler, sessionNotices } = dialogue.operations;
  dialogue.leave(7, false);
  const woken = counter();
  void sessionHandler(woken.handler);
  await turn();
  expect(woken.count).toBe(1);
  expect(sessionNotices()).toEqual([{ id: 7, ended: false }]);
  dialogue.leave(7, false);
  await turn();
  expect(woken.count).toBe(1);
  dialogue.leave(7, true);
  await turn();
  expect(woken.count).toBe(2);
  // A child that has not looked yet need not be woken again.
  dialogue.retry();
  await turn();
  expect(woken.count).toBe(2);
  expect(sessionNotices()).toEqual([{ id: 7, ended: true }]);
  dialogue.forget(7);
  expect(sessionNotices()).toEqual([]);
  dialogue.retry();
  await turn();
  expect(woken.count).toBe(3);
});

test('more sessions than a message holds are told in turns, and the number that is kept is bounded', async () => {
  const dialogue = new SessionDialogue();
  const { sessionHandler, sessionNotices } = dialogue.operations;
  const woken = counter();
  void sessionHandler(woken.handler);
  for (let id = 0; id < LIMITS.sessionNoticesKept + 10; id++) dialogue.leave(id, true);
  const told = new Set<number>();
  for (;;) {
    const notices = sessionNotices();
    if (!Array.isArray(notices) || notices.length === 0) break;
    expect(notices.length).toBeLessThanOrEqual(LIMITS.sessionNotices);
    const before = woken.count;
    for (const { id } of notices) {
      told.add(id);
      dialogue.forget(id);
    }
    // As long as something was left out, the client is woken to look again.
    await turn();
    if (told.size < LIMITS.sessionNoticesKept) expect(woken.count).toBeGreaterThan(before);
  }
  expect(told.size).toBe(LIMITS.sessionNoticesKept);
});

/** The client's side over a parent that lists these notices. */
function bench(notices: () => { id: number; ended: boolean }[]) {
  const sessions = new Map<number, object>();
  const events: string[] = [];
  let listener: SignalCapability | undefined;
  const pair = pairOf('shared', Parent, {
    ...uniformParent(() => Promise.reject(new Error('not asked'))),
    sessionHandler: (given) => void (listener = given),
    sessionNotices: notices,
  });
  const reattachments = new Reattachments({
    parent: capabilityFor(Parent, pair.ends[0].import(0)),
    signal: (handler) => pair.client.signal(handler),
    report: (error) => void events.push(`reports ${String(error)}`),
    close: async (closed) => {
      for (const [id, known] of sessions) {
        if (known !== closed) continue;
        sessions.delete(id);
        events.push(`closes ${id}`);
      }
      return { ram: 0, caps: 0 };
    },
    sessions: () => sessions,
  });
  const open = (id: number): object => {
    const opened = { id };
    sessions.set(id, opened);
    return opened;
  };
  const look = async (): Promise<void> => {
    await expect.poll(() => listener).toBeDefined();
    listener?.submit();
    for (let turns = 0; turns < 20; turns++) await turn();
  };
  return { reattachments, events, open, look, sessions };
}

test('a server that is being replaced: the new session is opened first, and the old one closed when it was handed over', async () => {
  const { reattachments, events, open, look, sessions } = bench(() =>
    sessions.has(1) ? [{ id: 1, ended: false }] : [],
  );
  reattachments.listen();
  reattachments.keep(open(1), {
    open: async () => {
      events.push('opens 2');
      return { session: open(2), hand: async () => void (events.push('hands 2'), await turn()) };
    },
    refused: () => {},
  });
  await look();
  expect(events).toEqual(['opens 2', 'hands 2', 'closes 1']);
});

test('a client that cannot pay for two sessions closes the old one before it opens the new one', async () => {
  const { reattachments, events, open, look, sessions } = bench(() =>
    sessions.has(1) ? [{ id: 1, ended: false }] : [],
  );
  reattachments.listen();
  reattachments.keep(open(1), {
    open: async () => {
      events.push('opens 2');
      if (sessions.has(1)) throw new SessionError('OUT_OF_RAM', 'poor');
      return { session: open(2), hand: () => void events.push('hands 2') };
    },
    refused: () => void events.push('refused'),
  });
  await look();
  expect(events).toEqual(['opens 2', 'closes 1', 'opens 2', 'hands 2']);
});

test('a notice that comes before the session is known here is not lost', async () => {
  const { reattachments, events, open, look, sessions } = bench(() =>
    sessions.has(1) ? [{ id: 1, ended: true }] : [],
  );
  reattachments.listen();
  const early = open(1);
  await look();
  reattachments.keep(early, {
    open: async () => ({ session: open(2), hand: () => void events.push('hands 2') }),
    refused: () => {},
  });
  for (let turns = 0; turns < 20; turns++) await turn();
  expect(events).toEqual(['closes 1', 'hands 2']);
});
