import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CONFIG_LIMITS,
  ConfigError,
  ConfigNode,
  type DocumentContent,
  type DocumentNode,
  GENERATED_POSITION,
  readDocument,
  readNode,
  runtimeDifference,
  writeDocument,
  writeHid,
} from '../src/config.ts';

/** A type or a name of an attribute. */
const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,6}$/);
// A character of a text that both HID and XML can carry.
const character = fc.oneof(
  fc.constantFrom(...'abx019+-.:|<>&"\' =/äß→🙂'),
  fc
    .string({ minLength: 1, maxLength: 1, unit: 'grapheme' })
    .filter((text) => /^[^\p{Cc}\p{Cs}\ufffe\uffff\ufeff]+$/u.test(text)),
);
/** A value: no "|", no space at its ends. */
const value = fc
  .string({ unit: character, maxLength: 30 })
  .map((text) => text.replaceAll('|', '¦').replace(/^ +| +$/g, ''));
const line = fc.string({ unit: fc.oneof(character, fc.constantFrom('\t', ' ')), maxLength: 12 });

const attributesOf = (values: Readonly<Record<string, string>>) =>
  new Map(Object.entries(values).map(([key, text]) => [key, { value: text, position: GENERATED_POSITION }]));
const attributes = fc
  .tuple(fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true }), fc.option(value))
  .map(([values, own]) => attributesOf(own === null ? values : { ...values, name: own }));

/** Trees that HID can hold. */
const tree = fc.letrec<{ node: ConfigNode }>((tie) => ({
  node: fc
    .record({
      type: name,
      attributes,
      children: fc.oneof({ depthSize: 'small' }, fc.constant([]), fc.array(tie('node'), { maxLength: 4 })),
      text: fc.array(line, { maxLength: 3 }).map((lines) => lines.join('\n')),
    })
    .map(({ type, ...parts }) => new ConfigNode(type, parts)),
})).node;

function enabled(node: DocumentNode): DocumentNode {
  return { ...node, disabled: false };
}

/** Documents that HID can hold, with comments, disabled nodes, and text between nodes. */
const documents = fc
  .letrec<{ node: DocumentNode }>((tie) => ({
    node: fc
      .record({
        type: name,
        attributes,
        disabled: fc.boolean(),
        comments: fc.array(line, { maxLength: 2 }),
        content: fc.oneof(
          { depthSize: 'small' },
          fc.constant([]),
          fc.array(
            fc.oneof(
              tie('node'),
              line.map((text): DocumentContent => ({ kind: 'text', text, position: GENERATED_POSITION })),
            ),
            { maxLength: 4 },
          ),
        ),
      })
      .map(
        ({ type, attributes: values, disabled, comments, content }): DocumentNode => ({
          kind: 'node',
          type,
          position: GENERATED_POSITION,
          disabled,
          attributes: values,
          comments: comments.map((text) => ({ text, position: GENERATED_POSITION, trailing: false })),
          content,
        }),
      ),
  }))
  .node.map(enabled);

/** A tree without places and without the order of attributes. */
function bare(node: ConfigNode): unknown {
  return {
    type: node.type,
    attributes: [...node.attributes].map(([key, { value: text }]) => [key, text]).toSorted(),
    children: node.children.map(bare),
    text: node.text,
  };
}

function bareDocument(part: DocumentContent): unknown {
  if (part.kind === 'text') return part.text;
  return {
    type: part.type,
    disabled: part.disabled,
    attributes: [...part.attributes].map(([key, { value: text }]) => [key, text]).toSorted(),
    comments: part.comments.map(({ text }) => text),
    content: part.content.map(bareDocument),
  };
}

const converted = (text: string, syntax: 'xml' | 'hid'): string =>
  writeDocument(readDocument(text, 'a'), syntax);

describe('a tree that HID can hold', () => {
  it('survives being written as HID', () => {
    fc.assert(
      fc.property(tree, (node) => {
        expect(bare(readNode(writeHid(node), { name: 'a' }))).toEqual(bare(node));
      }),
      { numRuns: 200 },
    );
  });

  it('survives the way from XML to HID and back to XML', () => {
    fc.assert(
      fc.property(tree, (node) => {
        const xml = converted(writeHid(node), 'xml');
        expect(bare(readNode(xml, { name: 'a' }))).toEqual(bare(node));
        const hid = converted(xml, 'hid');
        expect(bare(readNode(hid, { name: 'a' }))).toEqual(bare(node));
        expect(converted(hid, 'xml')).toBe(converted(converted(hid, 'xml'), 'xml'));
        expect(bare(readNode(converted(hid, 'xml'), { name: 'a' }))).toEqual(bare(node));
      }),
      { numRuns: 200 },
    );
  });

  it('is the same for the runtime of Genode, but for text beside nodes', () => {
    fc.assert(
      fc.property(tree, (node) => {
        const relaxed = readNode(writeHid(node), { name: 'a', relaxed: true });
        expect(bare(relaxed)).toEqual(bare(withoutTextBesideNodes(node)));
      }),
      { numRuns: 200 },
    );
  });
});

function withoutTextBesideNodes(node: ConfigNode): ConfigNode {
  const { type, attributes: own, children, text } = node;
  return new ConfigNode(type, {
    attributes: own,
    children: children.map(withoutTextBesideNodes),
    text: children.length > 0 ? '' : text,
  });
}

describe('a document', () => {
  it('keeps its comments, its disabled nodes and its order when it is formatted', () => {
    fc.assert(
      fc.property(documents, (document) => {
        const text = writeDocument(document, 'hid');
        const read = readDocument(text, 'a');
        expect(bareDocument(read)).toEqual(bareDocument(document));
        expect(writeDocument(read, 'hid')).toBe(text);
      }),
      { numRuns: 200 },
    );
  });
});

describe('any text', () => {
  const marks = ['+', 'x', '.', ':', '-', '|', ' ', '  ', ' | ', '\n', '\r\n', '\r', '\t'];
  const strange = ['\u0000', '\ud83d', '\ufeff', '🙂', 'A', '1'];
  const wholes = ['a:', 'a: b', 'name: c', '+ a', '+ b c', 'x d', ': text', '. comment', '\n-\n', '  | '];
  const pieces = [...marks, ...strange, ...wholes, 'a', 'b'];
  const soup = fc
    .array(fc.constantFrom(...pieces), { maxLength: 14 })
    .map((parts) => `top${parts.join('')}\n-\n`);

  it.each([false, true])('is read, or refused with a place in it (relaxed: %s)', (relaxed) => {
    fc.assert(
      fc.property(soup, (text) => {
        try {
          expect(readNode(text, { name: 'a', relaxed })).toBeInstanceOf(ConfigNode);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          const { line: number, column } = error.position;
          const lines = text.split('\n');
          expect(lines[number - 1]).toBeDefined();
          expect(column).toBeGreaterThanOrEqual(1);
          expect(column).toBeLessThanOrEqual((lines[number - 1] ?? '').length + 1);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('that is read strictly means the same to the runtime or is told, and formatting changes nothing', () => {
    fc.assert(
      fc.property(soup, (text) => {
        let node: ConfigNode;
        try {
          node = readNode(text, { name: 'a' });
        } catch (error) {
          if (error instanceof ConfigError) return;
          throw error;
        }
        if (runtimeDifference(text, node) === undefined)
          expect(bare(readNode(text, { name: 'a', relaxed: true }))).toEqual(bare(node));
        const formatted = converted(text, 'hid');
        expect(bare(readNode(formatted, { name: 'a' }))).toEqual(bare(node));
        expect(converted(formatted, 'hid')).toBe(formatted);
      }),
      { numRuns: 2000 },
    );
  });

  it('made of any bytes gives a tree or a ConfigError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, relaxed) => {
        try {
          readNode(bytes, { name: 'a', relaxed });
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['spaces', `top${' '.repeat(4_000_000)}x\n-\n`],
    ['bars', `top\n${'| '.repeat(2_000_000)}\n-\n`],
    ['nodes in one line', `top${' | + a'.repeat(600_000)}\n-\n`],
    ['attributes', `top${' | a: b'.repeat(500_000)}\n-\n`],
    ['lines of text', `top\n${`: ${'a'.repeat(37)}\n`.repeat(100_000)}-\n`],
    ['lines of comments', `top\n${`. ${'a'.repeat(37)}\n`.repeat(100_000)}-\n`],
    ['nodes', `top\n${'+ a\n'.repeat(1_000_000)}-\n`],
    ['dashes', `top\n${'-'.repeat(4_000_000)}`],
    ['surrogates in one line', `top | a: ${'🙂'.repeat(1_000_000)}\n-\n`],
    ['comments of XML in one line', `<a>${`<!--${'a'.repeat(33)}-->`.repeat(100_000)}</a>`],
  ])('of the largest size comes to an end: %s', (_, text) => {
    for (const relaxed of [false, true]) {
      try {
        readNode(text, { name: 'a', relaxed });
        if (!relaxed) writeDocument(readDocument(text, 'a'), 'hid');
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
      }
    }
  });

  it('keeps to the bounds of a config', () => {
    const nested = (depth: number): string =>
      Array.from({ length: depth }, (_, level) => (level === 0 ? 'a' : `${'  '.repeat(level - 1)}+ a`)).join(
        '\n',
      );
    expect(readNode(`${nested(CONFIG_LIMITS.depth)}\n-\n`, { name: 'a' }).type).toBe('a');
    const refused = (text: string): string => {
      try {
        readNode(text, { name: 'a' });
        return '';
      } catch (error) {
        return error instanceof ConfigError ? error.message : String(error);
      }
    };
    expect(refused(`${nested(CONFIG_LIMITS.depth + 1)}\n-\n`)).toBe('a:65:127: nested deeper than 64');
    expect(refused(`a\n${'+ b\n'.repeat(CONFIG_LIMITS.nodes)}-\n`)).toContain('more than 100000 nodes');
    const many = Array.from({ length: CONFIG_LIMITS.attributes + 1 }, (_, index) => `x${index}:`).join(' | ');
    expect(refused(`a | ${many}\n-\n`)).toContain('more than 256 attributes');
  });
});
