/** Random steps for `Pair`. */
import * as fc from 'fast-check';
import type { Model } from './model.ts';
import type { Step } from './model-pair.ts';

const name = fc.constantFrom('a', 'b', 'c', 'd', 'a-rather-long-name-so-that-directories-fill-up', 'ümläut');
/**
 * A path: a random one; or one that exists at that time, or one beside such a one, so that most
 * steps find the files that they need.
 */
export type Where = string | { readonly pick: number; readonly name?: string };
const random: fc.Arbitrary<Where> = fc
  .array(name, { minLength: 1, maxLength: 3 })
  .map((names) => `/${names.join('/')}`);
const existing: fc.Arbitrary<Where> = fc.record({ pick: fc.nat(1000) });
const beside: fc.Arbitrary<Where> = fc.record({ pick: fc.nat(1000), name });
const place = fc.oneof({ weight: 1, arbitrary: random }, { weight: 5, arbitrary: beside });
const path = fc.oneof({ weight: 1, arbitrary: random }, { weight: 5, arbitrary: existing });
const target = fc.oneof(
  fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/')),
  fc.constantFrom('a', '../b', '..', 'x'.repeat(59), 'y'.repeat(60), 'z/'.repeat(200), '/a/b'),
);
const offset = fc.oneof(
  fc.nat(5000),
  fc.nat(400_000),
  fc.constantFrom(0, 1024, 12 * 1024, 268 * 1024, 70_000_000),
);
const length = fc.oneof(fc.nat(3000), fc.nat(100_000), fc.constantFrom(1024, 4096, 65_536, 900_000));

/** Any step. */
export const anyStep: fc.Arbitrary<Step<Where>> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constantFrom('create', 'mkdir'), path: place }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('unlink', 'rmdir', 'open', 'read'), path }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constantFrom('rename', 'link'), path, other: fc.oneof(place, path) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('symlink'), path: place, other: target }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('write'), path, offset, length }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('append'), path, length }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('truncate'), path, size: offset }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('writeOpen'), offset, length }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('close', 'sync', 'remount') }) },
);

/** The step with the paths that it has at this time. */
export function located(step: Step<Where>, model: Model): Step {
  const locate = (where: Where): string => {
    if (typeof where === 'string') return where;
    const { pick, name: inner } = where;
    const paths = model.paths((node) => inner === undefined || node.type === 'directory');
    const found = paths[pick % paths.length] ?? '';
    return inner === undefined ? `/${found}` : `${found}/${inner}`;
  };
  switch (step.op) {
    case 'rename':
    case 'link':
      return { ...step, path: locate(step.path), other: locate(step.other) };
    case 'symlink':
      return { ...step, path: locate(step.path) };
    case 'write':
      return { ...step, path: locate(step.path) };
    case 'append':
      return { ...step, path: locate(step.path) };
    case 'truncate':
      return { ...step, path: locate(step.path) };
    case 'writeOpen':
    case 'close':
    case 'sync':
    case 'remount':
      return step;
    default:
      return { ...step, path: locate(step.path) };
  }
}
