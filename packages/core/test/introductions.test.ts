/**
 * Calls of components to the supervisor over their own channels, made by peers that the test plays:
 * any numbers may come.
 */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { capabilityFor } from '../src/capability/capability.ts';
import { ExportedObject } from '../src/capability/exported-object.ts';
import { hasCode, RpcError } from '../src/errors.ts';
import type { Capability, Implementation } from '../src/interface/interface.ts';
import { ComponentControl, SupervisorCalls } from '../src/runtime/control.ts';
import { SUPERVISOR_ID, Entrypoint } from '../src/runtime/entrypoint.ts';
import { Account } from '../src/supervisor/account.ts';
import { Components } from '../src/supervisor/components.ts';
import type { ComponentEnd } from '../src/supervisor/platform.ts';
import { carrierPair } from './in-process-platform.ts';
import { testSpecification } from './test-specification.ts';

const never = (): Promise<never> => new Promise(() => {});
const codeOf = (step: Promise<unknown>): Promise<unknown> =>
  step.then(
    () => 'done',
    (error: unknown) => (error instanceof RpcError ? error.code : error),
  );

/** A component that does nothing by itself, and notes what core says to it. */
interface Peer {
  readonly id: number;
  readonly core: Capability<typeof SupervisorCalls>;
  readonly heard: string[];
  /** Its reaction when the supervisor asks it for an introduction. */
  offer: () => void;
  stillWaiting: boolean;
  end(): void;
  /** Sends core what is no frame. */
  babble(): void;
}

let components: Components;
let connected: string[];
/** Whether a channel between two components can be had. */
let connectable: boolean;
let warnings: string[];
let ends: string[];
let latest: { readonly carrier: ReturnType<typeof carrierPair>[1]; end(): void } | undefined;

beforeEach(() => {
  connected = [];
  warnings = [];
  ends = [];
  connectable = true;
  components = new Components(
    {
      start: (_, ended) => {
        const [core, carrier] = carrierPair('copying');
        const how: ComponentEnd = { crashed: true, reason: 'ended by the test', culprit: true };
        const end = (): void => {
          core.close();
          ended(how);
        };
        latest = { carrier, end };
        const placement = { kind: 'thread', domain: 'test', pid: undefined } as const;
        return { placement, supervisor: core, kill: async () => end() };
      },
      connect: (first, second, failed) => {
        connected.push(`${first}-${second}`);
        if (!connectable) failed();
      },
      schedule: queueMicrotask,
      monotonicUs: () => 0,
      wallClockMs: () => 0,
      after: () => () => {},
      writeLog: async () => {},
    },
    (text) => void warnings.push(text),
  );
});

function start(label: string): Peer {
  const specification = testSpecification(label, label);
  const account = new Account(label, { ram: 1000, caps: 100 });
  const { id } = components.start(specification, account, ({ crashed, reason, culprit }) => {
    ends.push(`${label}: ${crashed} ${culprit} ${reason}`);
  });
  const { carrier, end } = latest ?? { end: () => {} };
  if (!carrier) throw new Error('nothing was started');
  const entrypoint = new Entrypoint({ schedule: queueMicrotask, report: () => {}, introduce: never });
  const heard: string[] = [];
  const implementation: Implementation<typeof ComponentControl> = {
    start: never,
    stop: never,
    statistics: never,
    overview: never,
    act: never,
    plan: never,
    heartbeat: never,
    trace: never,
    traceEnd: never,
    tracePause: never,
    stillWaiting: () => peer.stillWaiting,
    offer: ({ giver, number, index, to }) => {
      heard.push(`offer ${index} of ${giver}, as ${number} to ${to}`);
      peer.offer();
    },
    introductionFailed: (giver, number, owner) =>
      void heard.push(`failed: ${number} of ${giver}, by ${owner}`),
    peerGone: (gone) => void heard.push(`gone ${gone}`),
  };
  const control = new ExportedObject(ComponentControl, implementation, () => {});
  const channel = entrypoint.addChannel(SUPERVISOR_ID, carrier, control);
  const core = capabilityFor(SupervisorCalls, channel.import(0));
  const babble = (): void => void carrier.send(new Uint8Array([255, 255, 255]), []);
  const peer: Peer = { id, core, heard, offer: () => {}, stillWaiting: true, end, babble };
  return peer;
}

/**
 * Makes two components known to each other, as core does when it hands a capability of the one to
 * the other.
 */
const acquaint = (owner: Peer, to: Peer): Promise<void> =>
  components.entrypoint.introduce(99, owner.id, 0, to.id);

/** Lets frames arrive that are under way. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
}

describe('introductions', () => {
  test('go to the owner, and give it a channel with the receiver, once', async () => {
    const [giver, owner, receiver] = [start('giver'), start('owner'), start('receiver')];
    await acquaint(owner, giver);
    await acquaint(receiver, giver);
    connected.length = 0;
    owner.heard.length = 0;
    const request = { number: 7, via: owner.id, index: 5, to: receiver.id };
    await giver.core.introduce(request);
    await giver.core.introduce({ ...request, number: 8 });
    expect(connected).toEqual([`${owner.id}-${receiver.id}`]);
    expect(owner.heard).toEqual(
      [7, 8].map((number) => `offer 5 of ${giver.id}, as ${number} to ${receiver.id}`),
    );
  });

  test('of or to a component with which the giver has no channel are refused, and only the receiver hears of it', async () => {
    const [giver, friend, stranger] = [start('giver'), start('friend'), start('stranger')];
    await acquaint(friend, giver);
    connected.length = 0;
    friend.heard.length = 0;
    for (const [via, to] of [
      [friend, stranger],
      [stranger, friend],
      [stranger, giver],
    ] as const) {
      const request = { number: 7, via: via.id, index: 5, to: to.id };
      expect(await codeOf(giver.core.introduce(request))).toBe('Revoked');
      await settle();
      expect(to.heard.splice(0)).toEqual([`failed: 7 of ${giver.id}, by ${via.id}`]);
      expect([...via.heard]).toEqual([]);
    }
    expect(connected).toEqual([]);
  });

  test('with unknown component numbers, or of an object of the receiver itself, are refused', async () => {
    const [giver, friend] = [start('giver'), start('friend')];
    await acquaint(friend, giver);
    connected.length = 0;
    const asked = { number: 7, index: 5 };
    expect(await codeOf(giver.core.introduce({ ...asked, via: 4711, to: friend.id }))).toBe('Revoked');
    expect(await codeOf(giver.core.introduce({ ...asked, via: friend.id, to: 4711 }))).toBe('Revoked');
    expect(await codeOf(giver.core.introduce({ ...asked, via: giver.id, to: friend.id }))).toBe('Revoked');
    const own = giver.core.introduce({ ...asked, via: friend.id, to: friend.id });
    expect(await codeOf(own)).toBe('InvalidArgument');
    expect(connected).toEqual([]);
  });

  test('that the owner refuses are told to the receiver', async () => {
    const [giver, owner, receiver] = [start('giver'), start('owner'), start('receiver')];
    await acquaint(owner, giver);
    await acquaint(receiver, giver);
    owner.offer = () => {
      throw new RpcError('Revoked', 'no such capability');
    };
    const request = { number: 7, via: owner.id, index: 5, to: receiver.id };
    expect(await codeOf(giver.core.introduce(request))).toBe('Revoked');
    await settle();
    expect(receiver.heard).toContain(`failed: 7 of ${giver.id}, by ${owner.id}`);
  });

  test('to the supervisor that fail are told to the supervisor', async () => {
    const [giver, stranger] = [start('giver'), start('stranger')];
    const told = vi.spyOn(components.entrypoint, 'introductionFailed');
    const request = { number: 7, via: stranger.id, index: 5, to: SUPERVISOR_ID };
    expect(await codeOf(giver.core.introduce(request))).toBe('Revoked');
    expect(told).toHaveBeenCalledExactlyOnceWith(giver.id, 7, stranger.id, expect.any(String));
  });

  test('of objects of the supervisor, and to the supervisor, need no channel with it', async () => {
    const [giver, receiver] = [start('giver'), start('receiver')];
    await acquaint(receiver, giver);
    const [ofSupervisor, toSupervisor] = [
      { number: 7, via: SUPERVISOR_ID, index: 4711, to: receiver.id },
      { number: 8, via: receiver.id, index: 5, to: SUPERVISOR_ID },
    ];
    // Core has no such object in its table of the giver.
    expect(await codeOf(giver.core.introduce(ofSupervisor))).toBe('Revoked');
    await settle();
    expect(receiver.heard).toContain(`failed: 7 of ${giver.id}, by ${SUPERVISOR_ID}`);
    expect(await codeOf(giver.core.introduce(toSupervisor))).toBe('done');
    expect(receiver.heard).toContain(`offer 5 of ${giver.id}, as 8 to ${SUPERVISOR_ID}`);
  });
});

describe('the end of a component', () => {
  test('is told to those that have a channel with it, and to nobody else', async () => {
    const [mortal, peer, stranger] = [start('mortal'), start('peer'), start('stranger')];
    await acquaint(mortal, peer);
    mortal.end();
    await settle();
    expect(peer.heard).toEqual([`gone ${mortal.id}`]);
    expect(stranger.heard).toEqual([]);
    expect(ends).toEqual(['mortal: true true ended by the test']);
    expect(Array.from(components.live, ({ label }) => label)).toEqual(['peer', 'stranger']);
    const request = { number: 7, via: mortal.id, index: 5, to: peer.id };
    expect(await codeOf(stranger.core.introduce(request))).toBe('Revoked');
  });

  test('comes to a component that breaks the protocol with the supervisor, and its peers hear of it', async () => {
    const [hostile, peer] = [start('hostile'), start('peer')];
    await acquaint(hostile, peer);
    hostile.babble();
    await settle();
    expect(ends).toEqual([expect.stringMatching(/^hostile: true true broke the protocol with core: /)]);
    expect(warnings).toEqual([
      expect.stringMatching(/^\[hostile\] broke the protocol with core .* and is ended$/),
    ]);
    expect(peer.heard).toEqual([`gone ${hostile.id}`]);
  });

  test('is told to both components between which a channel cannot be made', async () => {
    const [one, two] = [start('one'), start('two')];
    connectable = false;
    await acquaint(one, two).catch(() => {});
    await settle();
    expect(one.heard).toContain(`gone ${two.id}`);
    expect(two.heard).toContain(`gone ${one.id}`);
  });
});

describe('waits in synchronous calls', () => {
  test('a wait that closes a circle is refused, as long as the others still wait', async () => {
    const [one, two] = [start('one'), start('two')];
    await one.core.waiting(two.id, 5);
    expect(hasCode(await two.core.waiting(one.id, 6).catch((error: unknown) => error), 'WouldDeadlock')).toBe(
      true,
    );
    await two.core.waited(6);
    one.stillWaiting = false;
    expect(await codeOf(two.core.waiting(one.id, 7))).toBe('done');
  });

  test('a wait that is over, or whose component has ended, is no part of a circle', async () => {
    const [one, two, three] = [start('one'), start('two'), start('three')];
    await one.core.waiting(two.id, 5);
    await one.core.waited(5);
    expect(await codeOf(two.core.waiting(one.id, 6))).toBe('done');
    three.end();
    await settle();
    expect(await codeOf(one.core.waiting(three.id, 7))).toBe('done');
  });
});
