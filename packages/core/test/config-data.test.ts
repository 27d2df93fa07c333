import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigDataError, ConfigNode, type ConfigNodeParts, fromData, toData } from '../src/config/index.ts';

const place = fc.record({
  file: fc.constantFrom('a.xml', 'b.xml'),
  line: fc.integer({ min: 1, max: 1e6 }),
  column: fc.integer({ min: 1, max: 1e6 }),
});
const name = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,6}$/);

/**
 * Trees whose attributes and texts lie in the file of their node, which the plain form takes for
 * granted.
 */
const tree = fc.letrec<{ node: ConfigNode }>((tie) => ({
  node: fc
    .record({
      type: name,
      position: place,
      attributes: fc.uniqueArray(fc.tuple(name, fc.string()), { selector: ([key]) => key, maxLength: 4 }),
      children: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constant([]),
        fc.array(tie('node')),
      ),
      text: fc.string(),
    })
    .map(({ type, position, attributes, children, text }) => {
      const parts: ConfigNodeParts = {
        position,
        attributes: attributes.map(
          ([key, value], index) => [key, { value, position: { ...position, column: index + 2 } }] as const,
        ),
        children,
        text,
      };
      const textPosition = { ...position, line: position.line + 1 };
      return new ConfigNode(
        type,
        new ConfigNode(type, parts).text === '' ? parts : { ...parts, textPosition },
      );
    }),
})).node;

describe('plain form of a configuration', () => {
  it('comes back the same, through JSON too', () => {
    fc.assert(
      fc.property(tree, (node) => {
        expect(fromData(toData(node))).toEqual(node);
        expect(fromData(JSON.parse(JSON.stringify(toData(node))))).toEqual(node);
      }),
    );
  });

  it('refuses anything else with its own error', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), (data) => {
        try {
          fromData(data);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigDataError);
        }
      }),
    );
  });

  const good = { type: 'config', at: [1, 1] };
  it.each([
    [undefined, 'config: not an object'],
    [[], 'config: not an object'],
    [{ type: 'config' }, 'config.at: not a position'],
    [{ ...good, type: 'a b' }, 'config.type: not a name'],
    [{ ...good, type: 5 }, 'config.type: not a text'],
    [{ ...good, at: [0, 1] }, 'config.at: not a position'],
    [{ ...good, at: [1, 1.5] }, 'config.at: not a position'],
    [{ ...good, at: [1, 1, 1] }, 'config.at: longer than 2'],
    [{ ...good, extra: 1 }, 'config: unknown field "extra"'],
    [{ ...good, text: 1 }, 'config.text: not a text'],
    [{ ...good, file: {} }, 'config.file: not the name of a file'],
    [{ ...good, children: {} }, 'config.children: not a list'],
    [{ ...good, children: [good, 7] }, 'config.children[1]: not an object'],
    [{ ...good, attributes: [['a']] }, 'config.attributes[0][1]: not a text'],
    [
      {
        ...good,
        attributes: [
          ['a', 'x', 1, 1],
          ['a', 'y', 1, 9],
        ],
      },
      'config.attributes[1]: named twice',
    ],
    [{ ...good, attributes: [['a', 'x', 1, -1]] }, 'config.attributes[0]: not a position'],
  ])('%j', (data, message) => {
    expect(() => fromData(data)).toThrow(new ConfigDataError(message));
  });

  it('keeps to its limits', () => {
    let deep: unknown = good;
    for (let depth = 1; depth < 64; depth++) deep = { ...good, children: [deep] };
    expect(fromData(deep).type).toBe('config');
    expect(() => fromData({ ...good, children: [deep] })).toThrow('nested deeper than 64');

    const limits = { sizeBytes: 20, depth: 4, nodes: 3, attributes: 1 };
    expect(() => fromData({ ...good, children: [good, good, good] }, limits)).toThrow('more than 3 nodes');
    expect(() => fromData({ ...good, text: 'x'.repeat(20) }, limits)).toThrow('larger than 20');
    const attributes = [
      ['a', '', 1, 1],
      ['b', '', 1, 1],
    ];
    expect(() => fromData({ ...good, attributes }, limits)).toThrow('longer than 1');
  });

  it('keeps nothing of what was handed in', () => {
    const at = [3, 4];
    const node = fromData({ type: 'config', file: 'x', at });
    at[0] = 9;
    expect(node.position).toEqual({ file: 'x', line: 3, column: 4 });
  });
});
