/**
 * The conformance tests once more, with a real nats-server in the place of the simulated bus: what
 * they show of carriers over a bus is shown of this one.
 */
import { afterAll, describe, test } from 'vitest';
import { BusNode, type BusNodeOwner, NatsBus, SystemClock } from '@ginit/core/nats';
import { closeBus, type Parties, useBus } from '../../packages/core/test/bus-carriers.ts';
import { leftOut } from '../harness/long.ts';
import { NatsServer, noNatsServer } from '../harness/nats-server.ts';
import { CLUSTER, newIdentity } from './bus-nodes.ts';

/** Each makes its tests when it is loaded. */
const SUITES: Readonly<Record<string, () => Promise<unknown>>> = {
  calls: () => import('../conformance/calls.test.ts'),
  death: () => import('../conformance/death.test.ts'),
  donations: () => import('../conformance/donations.test.ts'),
  'large-messages': () => import('../conformance/large-messages.test.ts'),
  leaks: () => import('../conformance/leaks.test.ts'),
  'object-quota': () => import('../conformance/object-quota.test.ts'),
  rom: () => import('../conformance/rom.test.ts'),
  root: () => import('../conformance/root.test.ts'),
  sessions: () => import('../conformance/sessions.test.ts'),
  executed: () => import('../../packages/core/test/executed.test.ts'),
};

let server: NatsServer | undefined;
const buses: NatsBus[] = [];
const ids = [newIdentity(), newIdentity()] as const;

async function parties(owner: BusNodeOwner): Promise<Parties> {
  server ??= await NatsServer.start(
    CLUSTER,
    ids.map(({ publicKey }) => publicKey),
  );
  const node = async (identity: (typeof ids)[number]): Promise<BusNode> => {
    const complain = (text: string): void => console.error(text);
    const bus = await NatsBus.connect({ servers: [server?.url ?? ''], identity, complain });
    buses.push(bus);
    return new BusNode({ bus, cluster: CLUSTER, identity, clock: new SystemClock(), owner });
  };
  return { first: await node(ids[0]), second: await node(ids[1]) };
}

afterAll(async () => {
  closeBus();
  for (const bus of buses) bus.close();
  await server?.[Symbol.asyncDispose]();
});

const skipped = noNatsServer ?? (leftOut(true) ? 'long: npm run test:long' : undefined);
if (skipped !== undefined) test.skip(`the conformance tests on a real nats-server (${skipped})`, () => {});
else {
  useBus(parties);
  // Each keeps what it does before and after its tests to itself.
  for (const [name, load] of Object.entries(SUITES)) describe(name, async () => void (await load()));
}
