/**
 * Tests the checks of liveness and of the supervisor's statements: each is shown something that it
 * must find.
 */
import { expect, test } from 'vitest';
import { Random } from '../src/order/random.ts';
import { Scheduler, type Task } from '../src/order/scheduler.ts';
import { simulatedCarrier } from '../src/world/simulated-carrier.ts';
import type { Census } from '@ginit/core/platform';
import { BOUND_US, Liveness } from '../src/checks/liveness.ts';
import { UnmetObligations } from '../src/checks/obligations.ts';
import { Phases } from '../src/checks/phases.ts';
import { type Standing, whereCoreIsWrong } from '../src/checks/truth.ts';

type System = ConstructorParameters<typeof Liveness>[0];

const nothing: Census = { channels: [], introductions: 0 };

/**
 * A source of chance that always picks the last task, so that the task that waits longest is never
 * picked.
 */
class Unfair extends Random {
  override below(bound: number): number {
    return Math.max(0, bound - 1);
  }
}

interface FakeComponent {
  readonly id: number;
  readonly ends?: readonly { readonly peer: number; readonly unheardSinceUs: number | undefined }[];
  readonly census?: Census;
}

/** A system of these components; those listed in `dead` have died at time 0. */
function systemOf(scheduler: Scheduler, components: readonly FakeComponent[], dead: number[] = []): System {
  const live = components.map(({ id, ends = [], census = nothing }) => ({
    id,
    label: `c${id}`,
    ends,
    ending: false,
    runtime: { census: () => census },
  }));
  const platform = {
    live,
    labelOf: (id: number) => `c${id}`,
    takeDeathsBefore: (us: number) => (us > 0 ? dead.splice(0) : []),
  };
  return { scheduler, platform } as unknown as System;
}

function passes(scheduler: Scheduler, us: number): void {
  scheduler.after(us, { owner: 9, describe: () => 'time', run: () => {} });
  while (typeof scheduler.next(Number.POSITIVE_INFINITY) !== 'string');
}

test('a component that has something to do and gets no turn is found', () => {
  const scheduler = new Scheduler(new Unfair(1));
  const liveness = new Liveness(systemOf(scheduler, []), () => nothing);
  scheduler.soon({ owner: 1, describe: () => 'call 7', run: () => {} });
  const again: Task = { owner: 2, describe: () => 'busy', run: () => void scheduler.after(1_000_000, again) };
  scheduler.soon(again);
  const turns = (count: number): void => {
    for (let turn = 0; turn < count; turn++) {
      const next = scheduler.next(Number.POSITIVE_INFINITY);
      if (typeof next === 'string') throw new Error(next);
      next.run();
    }
  };
  turns(1);
  expect(liveness.look()).toBeUndefined();
  const busy: Task = { owner: 2, describe: () => 'busy', run: () => void scheduler.soon(busy) };
  scheduler.soon(busy);
  turns(Math.ceil(BOUND_US / 7) + 2);
  expect(liveness.look()).toMatch(/^\[c1\] gets no turn; for 10\.\d{3} s, call 7$/);
  scheduler.hold(1, 1000);
  expect(liveness.look()).toBeUndefined();
});

test('a component that does not take the frames of its peer is found', () => {
  const scheduler = new Scheduler(new Random(1));
  const world = {
    scheduler,
    random: new Random(2),
    delayedOnceIn: 0,
    sent: () => {},
    copies: () => 1,
    arrived: () => {},
    closed: () => {},
    describe: () => '',
  };
  const [first, second] = simulatedCarrier(world, 1, 2, true);
  const liveness = new Liveness(systemOf(scheduler, [{ id: 2, ends: [second] }]), () => nothing);
  first.send(Uint8Array.of(1), []);
  passes(scheduler, BOUND_US / 2);
  expect(liveness.look()).toBeUndefined();
  passes(scheduler, BOUND_US);
  expect(liveness.look()).toMatch(/^\[c2\] does not take what \[c1\] has sent it; for 15\.\d{3} s$/);
  scheduler.hold(2, 1);
  expect(liveness.look()).toBeUndefined();
  passes(scheduler, 2 * BOUND_US);
  second.receive(() => {});
  expect(liveness.look()).toBeUndefined();
});

test('a component that has not noticed the end of its peer is found', () => {
  const channel = { peer: 3, exports: 0, imports: 1, calls: 2 };
  const system = (scheduler: Scheduler): System =>
    systemOf(scheduler, [{ id: 1 }, { id: 2, census: { channels: [channel], introductions: 0 } }], [3]);
  const scheduler = new Scheduler(new Random(1));
  const liveness = new Liveness(system(scheduler), () => nothing);
  expect(liveness.look()).toBeUndefined();
  passes(scheduler, BOUND_US + 1);
  const problem = '[c2] has not noticed that [c3] is gone; 2 calls wait for its answer';
  expect(liveness.look()).toBe(problem);

  const held = new Scheduler(new Random(1));
  const patient = new Liveness(system(held), () => nothing);
  held.hold(2, BOUND_US);
  passes(held, BOUND_US + 1);
  expect(patient.look()).toBeUndefined();
  passes(held, 2 * BOUND_US);
  expect(patient.look()).toBe(problem);
});

test('an obligation counts as unmet from the time when it was first seen unmet', () => {
  const scheduler = new Scheduler(new Random(1));
  const obligations = [{ what: 'a guest comes', met: () => {} }];
  const live = [{ label: 'c1', runtime: { obligations } }];
  const unmet = new UnmetObligations({ scheduler, platform: { live } } as unknown as System);
  passes(scheduler, 1000);
  unmet.look();
  expect(unmet.before(999)).toBeUndefined();
  expect(unmet.before(scheduler.nowUs)).toBe('[c1] has not met: a guest comes');
  obligations.pop();
  expect(unmet.before(scheduler.nowUs)).toBeUndefined();
});

test('faults are over when none is to come, no component is held and none is silent', () => {
  const scheduler = new Scheduler(new Random(1));
  let calmed = 0;
  const platform = { calm: () => calmed++, allAnswerUs: 0 };
  const system = { scheduler, platform } as unknown as System;
  const phases = new Phases(system, 2);
  phases.look(1);
  expect(phases.tell('x')).toBe('x; at 0.000000 s, with faults still to come');
  scheduler.hold(1, 1000);
  phases.look(0);
  expect([phases.healedUs, calmed]).toEqual([undefined, 0]);
  platform.allAnswerUs = 1_500_000;
  passes(scheduler, 1_000_000);
  phases.look(0);
  expect([phases.healedUs, calmed]).toEqual([undefined, 0]);
  passes(scheduler, 1_000_000);
  phases.look(0);
  phases.look(0);
  expect([phases.healedUs, calmed]).toEqual([scheduler.nowUs, 1]);
  expect(phases.tell('x')).toMatch(
    /^x; at 2\.\d{6} s, after the last fault \(which was over at 2\.00\d{4} s\)$/,
  );
  const none = new Phases(system, 0);
  none.look(0);
  expect([none.healedUs, calmed]).toEqual([undefined, 1]);
  expect(none.tell('x')).toMatch(/^x; at 2\.\d{6} s$/);
});

test('a wrong statement of the supervisor about components or quota is found', () => {
  const live = [
    { label: 'init', domain: 'process 1', ending: false },
    { label: 'init -> a', domain: 'domain main', ending: false },
  ];
  const domains = ['process 1', 'domain main'];
  const platform = {
    live,
    processOf: (domain: string) => domains.indexOf(domain) + 1,
  } as unknown as Parameters<typeof whereCoreIsWrong>[0];
  const account = { ramQuota: 10, ramUsed: 5, capQuota: 3, capUsed: 3 };
  const one = (label: string, pid: number, more: object = {}): Standing['components'][number] => ({
    label,
    placement: { kind: 'thread', domain: 'x', pid },
    account,
    ended: false,
    ...more,
  });
  const whole = { ram: 100, caps: 10 };
  const components = [one('init', 1), one('init -> a', 2), one('init -> b', 2, { ended: true })];
  const wrong = (changed: Partial<Standing>): string | undefined =>
    whereCoreIsWrong(platform, { components, total: whole, ...changed }, whole);
  expect(wrong({})).toBeUndefined();
  expect(wrong({ components: components.slice(0, 1) })).toBe(
    '[init -> a] in process 2 is running, and core does not say so',
  );
  expect(wrong({ components: [...components, one('init -> c', 2)] })).toBe(
    'core says that [init -> c] in process 2 is running, and it is not',
  );
  expect(wrong({ components: [one('init', 1), one('init -> a', 1)] })).toMatch(
    /in process 1 is running, and it/,
  );
  const over = one('init -> a', 2, { account: { ...account, ramUsed: 11 } });
  expect(wrong({ components: [one('init', 1), over] })).toBe(
    'core says that [init -> a] uses 11 of 10 bytes and 3 of 3 caps',
  );
  expect(wrong({ total: { ram: 99, caps: 10 } })).toMatch(
    /^all accounts together have 99 bytes of RAM quota/,
  );
});
