/**
 * Tests the services that init offers to its parent: which child serves which session, what becomes
 * of the donation, and what a new config does to sessions that are open.
 */
import type { Implementation } from '@ginit/core';
import { readXml } from '@ginit/core/config';
import { COSTS, type Resources, type Root } from '@ginit/core/system';
import { expect, test } from 'vitest';
import { readInitConfig } from '../src/model/index.ts';
import { Forwarding } from '../src/sandbox/forwarding.ts';
import type { RoutedRequest, ServedSession, SessionServer } from '../src/sandbox/session-server.ts';
import { SessionError } from '@ginit/core';

const DONATION = { ram: COSTS.session.ram + 1000, caps: COSTS.session.caps + 5 };
const REST = { ram: 1000, caps: 5 };

/** A child that serves what it is asked for, unless it refuses. */
class Server implements SessionServer {
  readonly asked: RoutedRequest[] = [];
  readonly upgrades: Resources[] = [];
  closed = 0;
  refusal: SessionError | undefined;
  /** What does not come back when a session is closed. */
  kept = 0;
  /** Holds answers back until it is called. */
  gate: Promise<void> | undefined;

  async open(request: RoutedRequest): Promise<ServedSession | { refused: SessionError; back: Resources }> {
    this.asked.push(request);
    await this.gate;
    if (this.refusal) return { refused: this.refusal, back: request.donation };
    const { donation } = request;
    return {
      capability: { [Symbol.dispose]: () => {} },
      donation,
      onLeave: () => () => {},
      upgrade: async (more) => void this.upgrades.push(more),
      close: () => {
        this.closed++;
        const back = { ...donation, ram: donation.ram - this.kept };
        return { closed: Promise.resolve(), back: Promise.resolve(back) };
      },
    };
  }
}

/** An init that offers services by the given elements, and has the given children. */
function bench(children: Record<string, SessionServer>, services: string) {
  const roots = new Map<string, Implementation<typeof Root>>();
  const held = new Map<number, Resources>();
  const warnings: string[] = [];
  let allocations = 0;
  const forwarding = new Forwarding({
    pd: {
      allocate: async (amount) => {
        held.set(++allocations, amount);
        return allocations;
      },
      free: async (allocation) => void held.delete(allocation),
    },
    announce: async (service, root) => {
      if (service === 'Unwanted') throw new Error('not wanted');
      roots.set(service, root);
    },
    serverOf: (child, service) => (service === 'Store' ? children[child] : undefined),
    warning: async (text) => void warnings.push(text),
  });
  const apply = (elements: string): void => {
    const { config } = readInitConfig(readXml(`<config>${elements}</config>`, 'config.xml'));
    forwarding.apply(config.services);
  };
  apply(services);
  const root = (): Implementation<typeof Root> => {
    const found = roots.get('Store');
    if (!found) throw new Error('the service was not announced');
    return found;
  };
  const open = async (id: number, label: string, donation = DONATION): Promise<unknown> =>
    root().session({ id, label, args: { colour: 'red' }, ...donation });
  /** What init may not spend, in all. */
  const heldSum = (): Resources => {
    const sum = { ram: 0, caps: 0 };
    for (const { ram, caps } of held.values()) {
      sum.ram += ram;
      sum.caps += caps;
    }
    return sum;
  };
  return { apply, children, forwarding, heldSum, open, root, roots, warnings };
}

const policies = (content: string): string => `<service name="Store">${content}</service>`;
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

test('a policy chooses the child by the label of the client, which may see another label', async () => {
  const [shop, cellar] = [new Server(), new Server()];
  const { open } = bench(
    { shop, cellar },
    policies(`<policy label_prefix="a"> <child name="shop"/> </policy>
      <default-policy> <child name="cellar" label="rest"/> </default-policy>`),
  );
  await open(1, 'a -> x');
  await open(2, 'b');
  expect(shop.asked).toMatchObject([
    { service: 'Store', label: 'a -> x', args: { colour: 'red' }, donation: REST },
  ]);
  expect(cellar.asked).toMatchObject([{ service: 'Store', label: 'rest', donation: REST }]);
});

test('without a policy for its label a session is denied', async () => {
  const { open, heldSum } = bench({}, policies('<policy label="a"> <child name="shop"/> </policy>'));
  await expect(open(1, 'b')).rejects.toThrow('no policy defined for label "b"');
  expect(heldSum()).toEqual({ ram: 0, caps: 0 });
});

test('init takes what a session costs itself, and gives it back at the end', async () => {
  const shop = new Server();
  const { open, heldSum, root } = bench(
    { shop },
    policies('<default-policy> <child name="shop"/> </default-policy>'),
  );
  await open(1, 'a');
  expect(heldSum()).toEqual(COSTS.session);
  await root().close(1);
  expect(shop.closed).toBe(1);
  expect(heldSum()).toEqual({ ram: 0, caps: 0 });
});

test('a donation that does not cover what the session costs init is refused so that the client gives more', async () => {
  const { open } = bench({}, policies('<default-policy> <child name="shop"/> </default-policy>'));
  const poor = { ram: COSTS.session.ram - 1, caps: 9 };
  await expect(open(1, 'a', poor)).rejects.toMatchObject({ code: 'INSUFFICIENT_RAM' });
});

test('the refusal of a child is the answer', async () => {
  const shop = new Server();
  shop.refusal = new SessionError('INSUFFICIENT_CAPS', 'more');
  const { open, heldSum } = bench(
    { shop },
    policies('<default-policy> <child name="shop"/> </default-policy>'),
  );
  await expect(open(1, 'a')).rejects.toMatchObject({ code: 'INSUFFICIENT_CAPS' });
  expect(heldSum()).toEqual({ ram: 0, caps: 0 });
});

test('a session whose child is missing waits for it, and its donation is not spent meanwhile', async () => {
  const { open, heldSum, children, forwarding } = bench(
    {},
    policies('<default-policy> <child name="shop"/> </default-policy>'),
  );
  const opening = open(1, 'a');
  await turns();
  expect(heldSum()).toEqual(DONATION);
  const shop = new Server();
  children['shop'] = shop;
  forwarding.lookAgain();
  await opening;
  expect(shop.asked).toMatchObject([{ donation: REST }]);
  expect(heldSum()).toEqual(COSTS.session);
});

test('a client may give up a session that waits', async () => {
  const { open, root, heldSum } = bench(
    {},
    policies('<default-policy> <child name="shop"/> </default-policy>'),
  );
  const opening = open(1, 'a');
  await turns();
  await root().close(1);
  await expect(opening).rejects.toThrow('the client has given up');
  expect(heldSum()).toEqual({ ram: 0, caps: 0 });
});

test.each([
  ['another child', '<default-policy> <child name="cellar"/> </default-policy>', 1],
  ['another label', '<default-policy> <child name="shop" label="b"/> </default-policy>', 1],
  ['nobody', '', 1],
  ['the same child with the same label', '<policy label="a"> <child name="shop" label="a"/> </policy>', 0],
] as const)('a new config by which a session leads to %s', async (_, content, closed) => {
  const [shop, cellar] = [new Server(), new Server()];
  const { open, apply, heldSum, root } = bench(
    { shop, cellar },
    policies('<default-policy> <child name="shop"/> </default-policy>'),
  );
  await open(1, 'a');
  apply(policies(content));
  await turns();
  expect(shop.closed).toBe(closed);
  // What came back belongs to the client, who has yet to close the session.
  expect(heldSum()).toEqual(closed === 1 ? DONATION : COSTS.session);
  await root().close(1);
  expect(shop.closed).toBe(1);
  expect(heldSum()).toEqual({ ram: 0, caps: 0 });
});

test('a service that is no longer offered denies, and closes what was open', async () => {
  const shop = new Server();
  const { open, apply } = bench(
    { shop },
    policies('<default-policy> <child name="shop"/> </default-policy>'),
  );
  await open(1, 'a');
  apply('');
  await turns();
  expect(shop.closed).toBe(1);
  await expect(open(2, 'a')).rejects.toThrow('no policy defined for label "a"');
});

test('a child that was restarted is another server, so its sessions are closed', async () => {
  const { open, children, forwarding } = bench(
    { shop: new Server() },
    policies('<default-policy> <child name="shop"/> </default-policy>'),
  );
  const before = children['shop'];
  await open(1, 'a');
  children['shop'] = new Server();
  forwarding.lookAgain();
  await turns();
  expect(before).toMatchObject({ closed: 1 });
});

test('a session that was being opened when the config changed is opened by the new config', async () => {
  const [shop, cellar] = [new Server(), new Server()];
  let answer = (): void => {};
  shop.gate = new Promise((resolve) => (answer = resolve));
  const { open, apply, heldSum } = bench(
    { shop, cellar },
    policies('<default-policy> <child name="shop"/> </default-policy>'),
  );
  const opening = open(1, 'a');
  await turns();
  apply(policies('<default-policy> <child name="cellar"/> </default-policy>'));
  answer();
  await opening;
  expect([shop.closed, cellar.asked.length]).toEqual([1, 1]);
  expect(heldSum()).toEqual(COSTS.session);
});

test('an upgrade goes on to the child; one of a session that is closed is denied', async () => {
  const shop = new Server();
  const { open, root, apply } = bench(
    { shop },
    policies('<default-policy> <child name="shop"/> </default-policy>'),
  );
  await open(1, 'a');
  await root().upgrade(1, 7, 2);
  expect(shop.upgrades).toEqual([{ ram: 7, caps: 2 }]);
  apply('');
  await turns();
  await expect(root().upgrade(1, 7, 2)).rejects.toMatchObject({ code: 'DENIED' });
  await expect(root().upgrade(2, 7, 2)).rejects.toMatchObject({ code: 'DENIED' });
});

test('the number of an open session is refused', async () => {
  const { open } = bench(
    { shop: new Server() },
    policies('<default-policy> <child name="shop"/> </default-policy>'),
  );
  await open(1, 'a');
  await expect(open(1, 'a')).rejects.toThrow('session 1 exists');
});

test('a service that the parent does not want is told of in the log', async () => {
  const { warnings } = bench({}, '<service name="Unwanted"/>');
  await turns();
  expect(warnings).toEqual(['service "Unwanted" cannot be offered: not wanted']);
});
