/** Trees that share their elements with the version before. */
import { ConfigNode, sharing } from '@ginit/core/config';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toData } from '../src/config/data.ts';

const position = fc.constantFrom(1, 2).map((line) => ({ file: 'x.xml', line, column: 1 }));
const attributes = fc.uniqueArray(
  fc.tuple(fc.constantFrom('a', 'b'), fc.record({ value: fc.constantFrom('1', '2'), position })),
  { selector: ([name]) => name, maxLength: 2 },
);
const { node: trees } = fc.letrec<{ node: ConfigNode }>((tie) => ({
  node: fc
    .record({
      type: fc.constantFrom('x', 'y'),
      position,
      attributes,
      children: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constant([]),
        fc.array(tie('node'), { maxLength: 3 }),
      ),
      text: fc.constantFrom('', 't'),
    })
    .map(({ type, ...parts }) => new ConfigNode(type, parts)),
}));

/** All elements of a tree, the outermost first. */
const elements = (node: ConfigNode): ConfigNode[] => [node, ...node.children.flatMap(elements)];

test('a tree that shares elements says what it said, and has of the one before what is the same', () => {
  fc.assert(
    fc.property(trees, trees, (before, now) => {
      const shared = sharing(before, now);
      expect(toData(shared)).toEqual(toData(now));
      expect([...elements(shared)].map(({ textPosition }) => textPosition)).toEqual(
        elements(now).map(({ textPosition }) => textPosition),
      );
      if (JSON.stringify(toData(before)) === JSON.stringify(toData(now))) expect(shared).toBe(before);
      expect(sharing(shared, now)).toBe(shared);
    }),
  );
});

test('elements are compared with those at the same place among their siblings', () => {
  const one = (name: string) => ConfigNode.make('start', { name });
  const before = ConfigNode.make('config', {}, [one('a'), one('b'), one('c')]);
  const shared = sharing(before, ConfigNode.make('config', {}, [one('a'), one('x'), one('c'), one('d')]));
  expect(shared.children.map((child, index) => child === before.children[index])).toEqual([
    true,
    false,
    true,
    false,
  ]);
  expect(sharing(undefined, before)).toBe(before);
});
