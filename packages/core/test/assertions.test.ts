/** Assertions of components: what they keep, and how much of it. */
import { expect, test } from 'vitest';
import { LIMITS } from '../src/system.ts';
import { AssertionFailed } from '../src/platform.ts';
import { Assertions, nameObligations } from '../src/runtime/assertions.ts';

test('an assertion that does not hold is reported, and thrown at its caller', () => {
  const failed: AssertionFailed[] = [];
  const assertions = new Assertions({ failed: (error) => failed.push(error) });
  const check = (holds: boolean, what: string): void => assertions.always(holds, what, check);
  check(true, 'fine');
  expect(() => check(false, 'x'.repeat(1000))).toThrow(AssertionFailed);
  expect(failed.map(({ message }) => message.length)).toEqual([200]);
  expect(failed[0]?.stack).not.toContain('assertions.ts');
});

test('unmet obligations are bounded, and one that is met makes room', async () => {
  const assertions = new Assertions({ failed: () => {} });
  const all = Array.from({ length: LIMITS.obligations }, (_, index) =>
    assertions.eventually(`number ${index}`),
  );
  expect(() => assertions.eventually('one more')).toThrow(/LimitExceeded|unmet obligations/);
  for (const obligation of all.slice(10)) obligation.met();
  for (const obligation of all.slice(10)) obligation.met();
  let fulfil = (): void => {};
  const later = new Promise<void>((resolve) => (fulfil = resolve));
  assertions.eventually('later', later);
  expect(nameObligations([...assertions.unmet])).toBe(
    `${Array.from({ length: 8 }, (_, index) => `number ${index}`).join('; ')}; and 3 more`,
  );
  fulfil();
  await later;
  expect([...assertions.unmet].map(({ what }) => what)).toEqual(all.slice(0, 10).map(({ what }) => what));
});
