/**
 * Tests what init does about children that ask for more quota: what it says, and what it grants by
 * itself.
 */
import type { Resources } from '@ginit/core/system';
import { expect, test } from 'vitest';
import { type AskingChild, ResourceGrants } from '../src/sandbox/resource-grants.ts';

const M = 1024 ** 2;

interface Asking {
  readonly ramLimit?: number;
  readonly assigned?: number;
  readonly ended?: boolean;
}

/** An init with `spare` bytes that it can give, and children that ask. */
function bench(spare: number) {
  const lines: string[] = [];
  const given: Resources[] = [];
  let ramUsed = 0;
  const grants = new ResourceGrants({
    env: {
      log: async (text) => void lines.push(text),
      error: async (text) => void lines.push(`Error: ${text}`),
    },
    spare: async () => ({ ram: spare - ramUsed, caps: 0 }),
  });
  const childOf = (
    { ramLimit, assigned = 4 * M, ended = false }: Asking,
    requested: Resources,
  ): AskingChild => {
    const child = {
      name: 'child',
      start: { ramLimit },
      requested,
      assigned: { ram: assigned, caps: 100 },
      ended,
      give: async (more: Resources) => {
        ramUsed += more.ram;
        given.push(more);
      },
    };
    return child;
  };
  return { lines, given, grants, childOf };
}

test.each([
  ['without ram_limit grants nothing', {}, { ram: M, caps: 0 }, []],
  [
    'up to ram_limit grants what is asked for',
    { ramLimit: 8 * M },
    { ram: M, caps: 0 },
    [{ ram: M, caps: 0 }],
  ],
  ['grants no more than ram_limit', { ramLimit: 5 * M }, { ram: 3 * M, caps: 0 }, [{ ram: M, caps: 0 }]],
  ['at ram_limit grants nothing', { ramLimit: 4 * M }, { ram: M, caps: 0 }, []],
  ['below the quota of the start node grants nothing', { ramLimit: M }, { ram: M, caps: 0 }, []],
  ['never grants capabilities', { ramLimit: 8 * M }, { ram: 0, caps: 5 }, []],
  [
    'grants no more than init can spare',
    { ramLimit: 99 * M },
    { ram: 50 * M, caps: 0 },
    [{ ram: 10 * M, caps: 0 }],
  ],
  ['grants an ended child nothing', { ramLimit: 8 * M, ended: true }, { ram: M, caps: 0 }, []],
] as const)('init %s', async (_, asking, requested, expected) => {
  const { grants, given, childOf } = bench(10 * M);
  await grants.asked(childOf(asking, requested));
  expect(given).toEqual(expected);
});

test('requests are decided one at a time, so two children cannot be granted the same memory', async () => {
  const { grants, given, childOf } = bench(3 * M);
  const children = [2, 2].map((ram) => childOf({ ramLimit: 99 * M }, { ram: ram * M, caps: 0 }));
  await Promise.all(children.map((child) => grants.asked(child)));
  expect(given.map(({ ram }) => ram / M)).toEqual([2, 1]);
});

test('a request is logged with the amounts that are not zero, and its withdrawal is not', async () => {
  const { grants, lines, childOf } = bench(0);
  for (const requested of [
    { ram: 4096, caps: 0 },
    { ram: 0, caps: 4 },
    { ram: 1, caps: 2 },
    { ram: 0, caps: 0 },
  ]) {
    await grants.asked(childOf({}, requested));
  }
  expect(lines).toEqual([
    'child "child" requests resources: ram_quota=4096',
    'child "child" requests resources: cap_quota=4',
    'child "child" requests resources: ram_quota=1, cap_quota=2',
  ]);
});

test('a child that asks without end fills the log with a hundred lines at most', async () => {
  const { grants, lines, childOf } = bench(0);
  const child = childOf({}, { ram: 1, caps: 0 });
  for (let request = 0; request < 200; request++) await grants.asked(child);
  expect(lines).toHaveLength(100);
  expect(lines.at(-1)).toBe(
    'child "child" requests resources: ram_quota=1 (further requests of it are not logged)',
  );
});
