import { describe as suite, expect, it } from 'vitest';
import {
  attribute,
  attributeTable,
  CONFIG_LIMITS,
  ConfigNode,
  describe,
  type ElementSchema,
  element,
  elementReference,
  enclosing,
  policyElements,
  schemaFromData,
  suggest,
  validate,
} from '../src/config/index.ts';
import { editDistance } from '../src/config/suggest.ts';

const make = ConfigNode.make;
const texts = (node: ConfigNode, schema: ElementSchema = tool) =>
  validate(node, schema).map((error) => error.text);

const write = element('write', 'Writes a text', {
  attributes: { path: attribute.text('Where', { required: true }) },
  text: 'required',
});
const fill = element('fill', 'Writes bytes', {
  attributes: {
    path: attribute.text('Where', { required: true }),
    size: attribute.bytes('How much', { required: true, min: 1, max: 1024 ** 3 }),
    seed: attribute.integer('Of the random numbers', { fallback: 1 }),
  },
});
const repeat = element('repeat', 'Runs its children again and again', {
  attributes: { count: attribute.integer('How often', { required: true, min: 1 }) },
  children: [write, fill, enclosing('repeat')],
});
const tool = element('config', 'Runs operations on a file system', {
  attributes: {
    verbose: attribute.boolean('Log more'),
    mode: attribute.oneOf('How to write', ['write-back', 'write-through'], { fallback: 'write-back' }),
  },
  children: [write, fill, repeat, element('inline', 'Anything', { anyContent: true, max: 1 })],
});

suite('validate', () => {
  it('accepts what the schema allows', () => {
    const inner = make('repeat', { count: 2 }, [make('fill', { path: '/x', size: '4K' })]);
    const config = make('config', { verbose: true }, [
      make('write', { path: '/a' }, 'hello'),
      make('repeat', { count: 3 }, [inner, make('write', { path: '/b' }, 'x')]),
      make('inline', { what: 'ever' }, [make('you', { like: 1 }, 'text')]),
    ]);
    expect(texts(config)).toEqual([]);
    expect(texts(config, schemaFromData(JSON.parse(JSON.stringify(tool))))).toEqual([]);
  });

  it.each([
    [make('cfg'), ['expected <config>, found <cfg>']],
    [
      make('config', { vebrose: true }),
      ['unknown attribute "vebrose" of <config> (did you mean "verbose"?)'],
    ],
    [make('config', { zzz: 1 }), ['unknown attribute "zzz" of <config>']],
    [
      make('config', { verbose: 'maybe' }),
      ['attribute "verbose" of <config> is "maybe", which is neither "yes" nor "no"'],
    ],
    [
      make('config', { mode: 'writeback' }),
      [
        'attribute "mode" of <config> is "writeback", which is none of "write-back", "write-through" (did you mean "write-back"?)',
      ],
    ],
    [
      make('config', {}, [make('fil', { path: '/' })]),
      ['unknown element <fil> in <config> (did you mean <fill>?)'],
    ],
    [
      make('config', {}, [make('fill', { path: '/', size: 0 })]),
      ['attribute "size" of <fill> is "0", which is less than 1'],
    ],
    [
      make('config', {}, [make('fill', { path: '/', size: '2G' })]),
      ['attribute "size" of <fill> is "2G", which is more than 1G'],
    ],
    [
      make('config', {}, [make('fill')]),
      ['<fill> needs an attribute "path"', '<fill> needs an attribute "size"'],
    ],
    [make('config', {}, [make('write', { path: '/' })]), ['<write> needs a text']],
    [make('config', {}, 'hello'), ['<config> holds no text, found "hello"']],
    [make('config', {}, ' \n'), []],
    [make('config', {}, [make('inline'), make('inline')]), ['more than one <inline> in <config>']],
    [
      make('config', {}, [make('repeat', { count: 1 }, [make('repeat', { count: 1 }, [make('inline')])])]),
      ['unknown element <inline> in <repeat>'],
    ],
  ])('%#', (config, expected) => {
    expect(texts(config)).toEqual(expected);
  });

  it('lists all errors in the order of the document', () => {
    const at = (line: number, column = 1) => ({ file: 'c.xml', line, column });
    const bad = (line: number) =>
      new ConfigNode('fill', {
        position: at(line),
        attributes: [
          ['size', { value: 'x', position: at(line, 9) }],
          ['path', { value: '/', position: at(line, 5) }],
          ['sied', { value: '/', position: at(line, 20) }],
        ],
      });
    const node = new ConfigNode('config', { position: at(1), children: [bad(3), bad(2)] });
    expect(validate(node, tool).map((error) => error.message)).toEqual([
      'c.xml:2:9: attribute "size" of <fill> is "x", which is not a number of bytes (digits, then K, M, G or nothing)',
      'c.xml:2:20: unknown attribute "sied" of <fill> (did you mean "seed"?)',
      'c.xml:3:9: attribute "size" of <fill> is "x", which is not a number of bytes (digits, then K, M, G or nothing)',
      'c.xml:3:20: unknown attribute "sied" of <fill> (did you mean "seed"?)',
    ]);
  });

  it('counts occurrences', () => {
    const schema = element('config', '', {
      children: [element('a', '', { min: 2, max: 3 }), element('b', '', { min: 1 })],
    });
    expect(texts(make('config'), schema)).toEqual([
      '<config> needs at least 2 of <a>',
      '<config> needs a <b>',
    ]);
    const a = make('a');
    expect(texts(make('config', {}, [a, a, a, a, make('b')]), schema)).toEqual([
      'more than 3 of <a> in <config>',
    ]);
  });

  it('says what to write instead of a refused element', () => {
    const gone = element('old', 'write <new> instead', { max: 0 });
    const schema = element('config', 'A test', { children: [gone] });
    expect(texts(make('config', {}, [make('old')]), schema)).toEqual([
      '<old> is not allowed here: write <new> instead',
    ]);
    expect(describe(schema)).not.toContain('old');
  });

  it('stops listing at a bound', () => {
    const many = Array.from({ length: 5000 }, () => make('x'.repeat(60)));
    const errors = texts(make('config', {}, many));
    expect(errors.length).toBe(CONFIG_LIMITS.errors);
    expect(errors.at(-1)).toBe('too many errors, the rest is not listed');
  });

  it('knows the policies of a server', () => {
    const schema = element('config', '', { children: policyElements({ writeable: attribute.boolean('') }) });
    const node = make('config', {}, [
      make('policy', { lable: 'x', writeable: true }),
      make('policy', { label_prefix: 'x'.repeat(161) }),
      make('default-policy', { label: 'x' }),
    ]);
    expect(texts(node, schema)).toEqual([
      'unknown attribute "lable" of <policy> (did you mean "label"?)',
      `attribute "label_prefix" of <policy> is "${'x'.repeat(60)}…", which is longer than 160 bytes`,
      'unknown attribute "label" of <default-policy>',
    ]);
  });

  it('is not fooled by names that objects inherit', () => {
    expect(texts(make('config', { constructor: 'x', toString: 'y' }))).toEqual([
      'unknown attribute "constructor" of <config>',
      'unknown attribute "toString" of <config>',
    ]);
  });
});

suite('schemaFromData', () => {
  it.each([
    [null, 'schema: not an object'],
    [{ type: 'a' }, 'schema.doc: not a short text'],
    [{ type: 'a b', doc: '' }, 'schema.type: not a name'],
    [
      { type: 'a', doc: '', attributes: { x: { kind: 'regex', doc: '' } } },
      'schema.attributes.x: unknown kind',
    ],
    [{ type: 'a', doc: '', children: [{ enclosing: 'b' }] }, 'schema.children[0]: no enclosing <b>'],
    [
      { type: 'a', doc: '', attributes: { x: { kind: 'boolean', doc: '', fallback: 'yes' } } },
      'schema.attributes.x.fallback: not a boolean',
    ],
    [
      { type: 'a', doc: '', attributes: { x: { kind: 'integer', doc: '', min: 2, fallback: 1 } } },
      'schema.attributes.x.fallback: which is less than 2',
    ],
    [{ type: 'a', doc: '', min: -1 }, 'schema.min: not a count'],
    [{ type: 'a', doc: '', text: 'yes' }, 'schema.text: not none, allowed or required'],
  ])('%j', (data, message) => {
    expect(() => schemaFromData(data)).toThrow(message);
  });

  it('bounds depth and number', () => {
    const cyclic: { type: string; doc: string; children: unknown[] } = { type: 'a', doc: '', children: [] };
    cyclic.children.push(cyclic);
    expect(() => schemaFromData(cyclic)).toThrow('nested deeper than 16');
    const children = Array.from({ length: 2000 }, () => ({ type: 'b', doc: '' }));
    expect(() => schemaFromData({ type: 'a', doc: '', children })).toThrow('more than 2000 elements');
  });
});

suite('describe', () => {
  it('shows control characters wherever a schema has text', () => {
    const bad = '\u001b[2Ja\u0007';
    const text = describe(
      element(bad, bad, {
        attributes: {
          [bad]: attribute.text(bad, { fallback: bad }),
          of: attribute.oneOf(bad, [bad]),
        },
        children: [element(bad, bad), enclosing(bad)],
      }),
    );
    // oxlint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(text.split('\n')[0]).toContain('<\\x1b[2Ja\\x07>');
  });

  it('prints a help text', () => {
    expect(describe(tool)).toBe(
      [
        '<config>                Runs operations on a file system',
        '  verbose=yes|no                    Log more',
        '  mode=write-back|write-through     How to write (default write-back)',
        '  <write> (any number)  Writes a text',
        '    path=TEXT                       Where (required)',
        '    text (required)',
        '  <fill> (any number)   Writes bytes',
        '    path=TEXT                       Where (required)',
        '    size=BYTES[1..1G]               How much (required)',
        '    seed=NUMBER                     Of the random numbers (default 1)',
        '  <repeat> (any number) Runs its children again and again',
        '    count=NUMBER[1..]               How often (required)',
        '    <write> (any number) Writes a text',
        '      path=TEXT                     Where (required)',
        '      text (required)',
        '    <fill> (any number) Writes bytes',
        '      path=TEXT                     Where (required)',
        '      size=BYTES[1..1G]             How much (required)',
        '      seed=NUMBER                   Of the random numbers (default 1)',
        '    <repeat> again, as above',
        '  <inline> (optional)   Anything',
        '    any content',
        '',
      ].join('\n'),
    );
  });
});

suite('words in upper or lower case', () => {
  const schema = element('mode', 'A word', {
    attributes: { word: attribute.oneOf('Which', ['Fast', 'slow'], { ignoreCase: true }) },
  });

  it.each([
    ['fast', true],
    ['FAST', true],
    ['Fast', true],
    ['fats', false],
  ])('%j', (word, right) => {
    for (const each of [schema, schemaFromData(structuredClone(schema))]) {
      expect(validate(make('mode', { word }), each).length).toBe(right ? 0 : 1);
    }
  });

  it('suggests the word as it is declared', () => {
    expect(texts(make('mode', { word: 'Fats' }), schema)[0]).toMatch(/did you mean "Fast"/);
  });
});

suite('suggest', () => {
  it.each([
    ['lable', 'label'],
    ['labelprefix', 'label_prefix'],
    ['writable', 'writeable'],
    ['LABEL', 'label'],
    ['xyz', undefined],
    ['l', undefined],
    ['x', undefined],
    ['label', undefined],
  ])('%j', (name, expected) => {
    expect(suggest(name, ['label_prefix', 'label', 'writeable'])).toBe(expected);
  });

  it.each([
    ['', '', 0],
    ['abc', '', 3],
    ['abc', 'abc', 0],
    ['abc', 'acb', 1],
    ['abcd', 'badc', 2],
    ['kitten', 'sitting', 3],
    ['ca', 'abc', 3],
  ])('editDistance(%j, %j)', (left, right, distance) => {
    expect(editDistance(left, right)).toBe(distance);
    expect(editDistance(right, left)).toBe(distance);
  });
});

suite('manuals', () => {
  const inner = element('inner', 'In two | places', {
    attributes: {
      size: attribute.bytes('How *much*', { min: 1, max: 4096, otherwise: 'what <outer> says' }),
    },
  });
  const outer = element('outer', 'The whole', {
    attributes: {
      name: attribute.text('Which', { required: true }),
      title: attribute.text('?', { fallback: '' }),
      on: attribute.boolean('?', { fallback: true }),
    },
    children: [
      inner,
      element('other', 'Holds it, too', { children: [inner, enclosing('outer')], max: 1 }),
      element('old', 'write <inner> instead', { max: 0 }),
    ],
  });

  it('have a table of the attributes, with what holds without each', () => {
    expect(attributeTable(outer)).toBe(
      [
        '| attribute | value | default | meaning |',
        '| --- | --- | --- | --- |',
        '| `name` | text | required | Which |',
        '| `title` | text | `""` | ? |',
        '| `on` | yes or no | `yes` | ? |',
      ].join('\n'),
    );
    expect(attributeTable(inner).split('\n').at(-1)).toBe(
      '| `size` | bytes, 1 to 4K | what \\<outer\\> says | How \\*much\\* |',
    );
  });

  it('have a reference of all elements, each shown once', () => {
    const titles = elementReference(outer)
      .split('\n')
      .filter((line) => line.startsWith('**'));
    expect(titles).toEqual([
      '**`<outer>`**: The whole.',
      '**`<inner>`** in `<outer>` (any number): In two \\| places.',
      '**`<other>`** in `<outer>` (optional): Holds it, too.',
      '**`<inner>`** in `<outer>` `<other>` (any number): as in `<outer>`.',
      '**`<outer>`** in `<outer>` `<other>`: as above.',
    ]);
  });
});
