import * as fc from 'fast-check';
import { describe as suite, expect, expectTypeOf, it } from 'vitest';
import {
  attribute,
  type ConfigOf,
  ConfigNode,
  describe,
  type ElementSchema,
  element,
  enclosing,
  inspectConfig,
  policyElements,
  readConfig,
  type TolerantConfigOf,
  validate,
} from '../src/config/index.ts';
import { selectPolicy } from '../src/policy.ts';

const { make } = ConfigNode;

const WRITE = element('write', 'Writes a text', {
  attributes: { path: attribute.text('Where', { required: true }) },
  text: 'allowed',
});
const FILL = element('fill', 'Writes bytes', {
  attributes: {
    path: attribute.text('Where', { required: true }),
    size: attribute.bytes('How much', { fallback: 4096, min: 1 }),
  },
});
const REPEAT = element('repeat', 'Again and again', {
  attributes: { count: attribute.integer('How often', { required: true, min: 1 }) },
  children: [WRITE, FILL, enclosing('repeat')],
});
const CONFIG = element('config', 'A test', {
  attributes: {
    title: attribute.text('A text', { required: true }),
    mode: attribute.oneOf('A word', ['write-back', 'write-through'], { fallback: 'write-back' }),
    code: attribute.oneOf('A word in any case', ['Not_found', 'Denied'], { ignoreCase: true }),
    verbose: attribute.boolean('Yes or no', { fallback: false }),
    limit: attribute.integer('A number'),
    size: attribute.bytes('A size', { otherwise: 'what is free' }),
    server: attribute.label('A label', { fallback: 'a -> b' }),
    service: attribute.name('A name'),
  },
  children: [
    WRITE,
    REPEAT,
    element('report', 'At most one', { max: 1 }),
    element('clock', 'Exactly one', {
      attributes: { rate: attribute.integer('Hertz', { fallback: 100 }) },
      min: 1,
      max: 1,
    }),
    element('pair', 'Two at most', { max: 2 }),
    element('old', 'write <new> instead', { max: 0 }),
    element('inline', 'Anything', { anyContent: true, max: 1 }),
  ],
});

const clock = make('clock');
const sound = make('config', { title: 'x' }, [clock]);

suite('readConfig', () => {
  it('gives the fallbacks of the schema for what is missing', () => {
    const { $node, $children, $content, ...attributes } = readConfig(sound, CONFIG);
    expect(attributes).toEqual({
      $type: 'config',
      title: 'x',
      mode: 'write-back',
      code: undefined,
      verbose: false,
      limit: undefined,
      size: undefined,
      server: 'a -> b',
      service: undefined,
    });
    expect($node).toBe(sound);
    expect(Object.keys($children)).toEqual(['write', 'repeat', 'report', 'clock', 'pair', 'inline']);
    expect($children.report).toBeUndefined();
    expect($children.pair).toEqual([]);
    expect($children.clock.rate).toBe(100);
    expect($content).toEqual([$children.clock]);
  });

  it('gives values for texts', () => {
    const node = make(
      'config',
      {
        title: '',
        mode: 'write-through',
        code: 'not_FOUND',
        verbose: 'on',
        limit: '-0x10',
        size: '8M',
        server: 'c',
        service: 'Block',
      },
      [clock],
    );
    expect(readConfig(node, CONFIG)).toMatchObject({
      title: '',
      mode: 'write-through',
      code: 'Not_found',
      verbose: true,
      limit: -16,
      size: 8 * 1024 * 1024,
      server: 'c',
      service: 'Block',
    });
  });

  it('gives children in the order of the document, however deep they repeat', () => {
    const inner = make('repeat', { count: 2 }, [make('fill', { path: '/b' })]);
    const node = make('config', { title: 'x' }, [
      make('repeat', { count: 1 }, [inner, make('write', { path: '/c' }, 'text')]),
      clock,
      make('write', { path: '/a' }, 'hello'),
    ]);
    const config = readConfig(node, CONFIG);
    expect(config.$content.map(({ $type }) => $type)).toEqual(['repeat', 'clock', 'write']);
    expect(config.$children.write.map(({ path, $node }) => path + $node.text)).toEqual(['/ahello']);
    const [outer] = config.$children.repeat;
    expect(outer?.$children.repeat[0]?.$children.fill[0]?.size).toBe(4096);
    expect(outer?.$content.map(({ $type }) => $type)).toEqual(['repeat', 'write']);
  });

  it('throws the first error of the document, as validate lists it', () => {
    const at = (line: number) => ({ file: 'c.xml', line, column: 1 });
    const bad = (line: number) =>
      new ConfigNode('write', {
        position: at(line),
        attributes: [['pth', { value: '/', position: at(line) }]],
      });
    const node = new ConfigNode('config', {
      position: at(1),
      attributes: [['title', { value: 'x', position: at(1) }]],
      children: [bad(4), bad(3), new ConfigNode('clock', { position: at(5) })],
    });
    expect(() => readConfig(node, CONFIG)).toThrow(
      'c.xml:3:1: unknown attribute "pth" of <write> (did you mean "path"?)',
    );
  });

  it('leaves the content of an opaque element to the node', () => {
    const node = make('config', { title: 'x' }, [clock, make('inline', { any: 1 }, [make('thing')])]);
    const { inline } = readConfig(node, CONFIG).$children;
    expect(inline?.$content).toEqual([]);
    expect(inline?.$node.child('thing')).toBeDefined();
  });

  it('takes names that objects inherit for names', () => {
    const schema = element('config', 'A test', {
      attributes: { ['__proto__']: attribute.text('?', { fallback: 'x' }), toString: attribute.text('?') },
      children: [element('constructor', '?')],
    });
    const config: object = readConfig(make('config'), schema);
    expect(Object.getOwnPropertyDescriptor(config, '__proto__')?.value).toBe('x');
    expect(Reflect.get(config, 'toString')).toBeUndefined();
  });

  it('reads every sound tree, and no tree that validate refuses', () => {
    const word = fc.constantFrom('x', '', '7', '0', '4K', 'yes', 'write-through');
    const part = fc.option(word, { nil: undefined });
    const attributes = fc.record({ title: part, mode: part, verbose: part, limit: part, size: part });
    fc.assert(
      fc.property(attributes, fc.boolean(), (values, withClock) => {
        const node = make('config', values, withClock ? [clock] : []);
        const [first] = validate(node, CONFIG);
        if (first === undefined) expect(readConfig(node, CONFIG).title).toBe(values.title);
        else expect(() => readConfig(node, CONFIG)).toThrow(first.message);
      }),
    );
  });
});

suite('inspectConfig', () => {
  it('lists all errors and reads the rest: a malformed value counts as a missing one', () => {
    const node = make('config', { mode: 'back', verbose: 'maybe', limit: '1.5', other: 1 }, [
      make('nonsense'),
      make('old'),
      make('report'),
      make('report'),
      make('repeat', { count: 0 }),
    ]);
    const { errors, config } = inspectConfig(node, CONFIG);
    expect(errors).toEqual(validate(node, CONFIG));
    expect(errors.length).toBe(10);
    expect(config.title).toBeUndefined();
    expect(config.mode).toBe('write-back');
    expect(config.verbose).toBe(false);
    expect(config.limit).toBeUndefined();
    expect(config.$children.clock).toBeUndefined();
    expect(config.$children.report?.$node).toBe(node.children[2]);
    expect(config.$content.map(({ $type }) => $type)).toEqual(['report', 'report', 'repeat']);
    // Out of its range, but a number: whoever goes on checking sees what was written.
    expect(config.$children.repeat[0]?.count).toBe(0);
  });
});

suite('fallbacks', () => {
  it('are what help says', () => {
    const text = describe(CONFIG);
    expect(text).toContain('A word (default write-back)');
    expect(text).toContain('Yes or no (default no)');
    expect(text).toContain('A size (default what is free)');
    expect(text).toContain('How much (default 4K)');
    expect(text).toContain('A text (required)');
  });

  it('could stand in a config', () => {
    expect(() => attribute.integer('n', { max: 3, fallback: 7 })).toThrow('which is more than 3');
    expect(() => attribute.label('n', { fallback: '\u0007' })).toThrow('control characters');
    expect(() => attribute.bytes('n', { fallback: 0.5 })).toThrow(TypeError);
  });

  it('are values, not texts of values', () => {
    // As code has it that no compiler has checked.
    const parts: object = { fallback: '100' };
    expect(() => attribute.integer('n', parts)).toThrow('100, which is no value of the kind "integer"');
    const word: object = { fallback: 'no' };
    expect(() => attribute.boolean('n', word)).toThrow('no, which is no value of the kind "boolean"');
  });
});

suite('types', () => {
  it('of attributes follow kind, fallback and required', () => {
    type Config = ConfigOf<typeof CONFIG>;
    expectTypeOf<Config['title']>().toEqualTypeOf<string>();
    expectTypeOf<Config['mode']>().toEqualTypeOf<'write-back' | 'write-through'>();
    expectTypeOf<Config['code']>().toEqualTypeOf<'Not_found' | 'Denied' | undefined>();
    expectTypeOf<Config['verbose']>().toEqualTypeOf<boolean>();
    expectTypeOf<Config['limit']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Config['size']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Config['server']>().toEqualTypeOf<string>();
    expectTypeOf<Config['service']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<Config>().not.toHaveProperty('titel');
  });

  it('of children follow how often they may stand', () => {
    type Children = ConfigOf<typeof CONFIG>['$children'];
    expectTypeOf<Children['write'][number]['path']>().toEqualTypeOf<string>();
    expectTypeOf<Children['clock']['rate']>().toEqualTypeOf<number>();
    expectTypeOf<undefined>().toExtend<Children['report']>();
    expectTypeOf<undefined>().not.toExtend<Children['clock']>();
    expectTypeOf<Children['pair'][number]['$type']>().toEqualTypeOf<'pair'>();
    expectTypeOf<Children>().not.toHaveProperty('old');
    type Inner = Children['repeat'][number]['$children']['repeat'][number];
    expectTypeOf<Inner['$children']['repeat'][number]['count']>().toEqualTypeOf<number>();
  });

  it('of the content are told apart by their type', () => {
    const config = readConfig(sound, CONFIG);
    for (const child of config.$content) {
      if (child.$type === 'repeat') expectTypeOf(child.count).toEqualTypeOf<number>();
      if (child.$type === 'write') expectTypeOf(child).not.toHaveProperty('count');
    }
    type Types = (typeof config.$content)[number]['$type'];
    expectTypeOf<Types>().toEqualTypeOf<'write' | 'repeat' | 'report' | 'clock' | 'pair' | 'inline'>();
  });

  it('of a tolerant reading leave out what the schema requires, and keep its fallbacks', () => {
    type Config = TolerantConfigOf<typeof CONFIG>;
    expectTypeOf<Config['title']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<Config['mode']>().toEqualTypeOf<'write-back' | 'write-through'>();
    expectTypeOf<undefined>().toExtend<Config['$children']['clock']>();
    expectTypeOf<Config['$children']['write'][number]['path']>().toEqualTypeOf<string | undefined>();
  });

  it('promise nothing where the schema says nothing to the compiler', () => {
    type Config = ConfigOf<ElementSchema>;
    expectTypeOf<Config>().not.toHaveProperty('title');
    expectTypeOf<Config['$content'][number]['$type']>().toEqualTypeOf<string>();
    expectTypeOf<undefined>().toExtend<Config['$children'][string]>();
  });

  it('of a policy are those of its server', () => {
    const schema = element('config', 'A server', {
      children: policyElements({ writeable: attribute.boolean('?', { fallback: true }) }),
    });
    const config = readConfig(
      make('config', {}, [
        make('policy', { label_prefix: 'a' }),
        make('default-policy', { writeable: false }),
      ]),
      schema,
    );
    const policy = selectPolicy(config, 'a -> b');
    expectTypeOf(policy?.writeable).toEqualTypeOf<boolean | undefined>();
    expect(policy?.writeable).toBe(true);
    expect(selectPolicy(config, 'b')?.writeable).toBe(false);
  });

  it('of fallbacks are those of the kind', () => {
    // Never called: it has to be refused by the compiler, not to run.
    const refused = () => [
      // @ts-expect-error: a number is no yes and no no
      attribute.boolean('?', { fallback: 1 }),
      // @ts-expect-error: a text is no number of bytes
      attribute.bytes('?', { fallback: '1M' }),
      // @ts-expect-error: none of the words
      attribute.oneOf('?', ['a', 'b'], { fallback: 'c' }),
    ];
    expect(refused).toBeTypeOf('function');
  });
});
