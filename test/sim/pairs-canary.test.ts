/**
 * Tests the property test of config pairs: it must find a rule of the plan that is broken on
 * purpose. A child whose session has merely got another label is not restarted any more. (The
 * simulator finds the same mistake: canary "plan-label".)
 */
import { expect, test, vi } from 'vitest';
import type { Change } from '../../packages/init/src/plan/index.ts';
import { checkConfigPairs } from '../conformance/config-pairs.ts';

/** Whether a change is a restart for other labels, and for nothing else. */
function isForLabels(change: Change): boolean {
  if (change.kind !== 'restart' || change.reroutes.length === 0) return false;
  return change.reroutes.every(({ session: { to: before }, to: now }) => {
    if (now?.kind === 'child') return before.kind === 'child' && before.child === now.child;
    return now?.kind === 'parent' && before.kind === 'parent';
  });
}

vi.mock(import('../../packages/init/src/plan/plan.ts'), async (importOriginal) => {
  const { planChanges, ...rest } = await importOriginal();
  return {
    ...rest,
    planChanges: (...args: Parameters<typeof planChanges>) =>
      planChanges(...args).filter((change) => !isForLabels(change)),
  };
});

test('a plan that forgets labels is found by random pairs of configs', async () => {
  const failure: unknown = await checkConfigPairs(true).catch((error: unknown) => error);
  // Another failure would do as well, if only that of the property counted: what is found here is
  // that sessions still have their old labels.
  expect(failure).toMatchObject({
    message: expect.stringMatching(/^Property failed/),
    cause: { message: expect.stringMatching(/to deeply equal ArrayContaining/) },
  });
}, 300_000);
