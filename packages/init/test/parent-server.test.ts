/**
 * Tests sessions with the parent's services while too many calls are under way: the calls that must
 * be made are made later.
 */
import { expect, test } from 'vitest';
import { type Env, RpcError } from '@ginit/core';
import { LIMITS } from '@ginit/core/system';
import { ParentServer } from '../src/sandbox/parent-server.ts';
import type { ServedSession } from '../src/sandbox/session-server.ts';

const DONATION = { ram: 8192, caps: 2 };
const NOTHING = { ram: 0, caps: 0 };

/**
 * A parent whose next answer the test sets. It counts how often init has waited before it asked
 * again.
 */
class Parent {
  waits = 0;
  closings = 0;
  closingsMax = 0;
  refusals = 0;
  readonly upgrades: (() => void)[] = [];
  readonly closes: (() => void)[] = [];
  closesAtOnce = true;
  readonly env = {
    request: async () => ({ capability: {} }),
    upgrade: () => new Promise<void>((resolve) => this.upgrades.push(resolve)),
    close: () => this.#close(),
    timer: {
      sleep: async () => {
        this.waits++;
      },
    },
  } as unknown as Env;

  async #close(): Promise<typeof NOTHING> {
    if (this.refusals-- > 0) throw new RpcError('LimitExceeded', 'too many calls of this peer are under way');
    this.closingsMax = Math.max(this.closingsMax, ++this.closings);
    if (!this.closesAtOnce) await new Promise<void>((resolve) => this.closes.push(resolve));
    this.closings--;
    return NOTHING;
  }
}

async function open(server: ParentServer): Promise<ServedSession> {
  const { signal: givenUp } = new AbortController();
  const request = { service: 'Den', label: '', args: {}, donation: DONATION, reattach: false, givenUp };
  const answer = await server.open(request);
  if ('refused' in answer) throw answer.refused;
  return answer;
}

test('a session that cannot be closed because of too many calls is closed later, and its donation comes back', async () => {
  const parent = new Parent();
  const served = await open(new ParentServer(parent.env, () => {}));
  parent.refusals = 3;
  const { closed, back } = served.close(() => true);
  await closed;
  expect(await back).toEqual(DONATION);
  expect(parent.waits).toBe(3);
});

test('requests of children leave room for the calls that must be made at the parent', async () => {
  const parent = new Parent();
  const server = new ParentServer(parent.env, () => {});
  const served = await open(server);
  const upgrades = Array.from({ length: LIMITS.sessionRequestsAtParent }, () => served.upgrade(NOTHING));
  const refused = await served.upgrade(DONATION);
  expect(refused?.refused.code).toBe('DENIED');
  expect(refused?.refused.message).toBe(
    `${LIMITS.sessionRequestsAtParent} session requests to the parent are under way`,
  );
  expect(refused?.back).toEqual(DONATION);
  for (const done of parent.upgrades) done();
  expect(new Set(await Promise.all(upgrades))).toEqual(new Set([undefined]));
  await open(server);
});

test('any number of sessions may be closed at once, and only some are being closed at a time', async () => {
  const parent = new Parent();
  const server = new ParentServer(parent.env, () => {});
  const more = LIMITS.sessionClosingsAtParent + 100;
  const sessions = await Promise.all(Array.from({ length: more }, () => open(server)));
  parent.closesAtOnce = false;
  const closings = sessions.map((session) => session.close(() => true).back);
  for (let closed = 0; closed < more; ) {
    await new Promise(setImmediate);
    for (const done of parent.closes.splice(0)) {
      done();
      closed++;
    }
  }
  await Promise.all(closings);
  expect(parent.closingsMax).toBe(LIMITS.sessionClosingsAtParent);
});
