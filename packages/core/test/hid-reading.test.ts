import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  type ConfigNode,
  hidProblems,
  readDocument,
  readNode,
  runtimeDifference,
  syntaxOf,
  toData,
  writeDocument,
  writeHid,
} from '../src/config.ts';
import { parseConfig } from '../src/runtime/config.ts';

const read = (text: string, relaxed = false): ConfigNode => readNode(text, { name: 'c.hid', relaxed });

function errorOf(text: string | Uint8Array, name = 'c.hid', relaxed = false): string {
  try {
    readNode(text, { name, relaxed });
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const place = (line: number, column: number) => ({ file: 'c.hid', line, column });

describe('the syntax of a text', () => {
  it.each([
    ['<config/>', 'xml'],
    ['\ufeff\n <config/>', 'xml'],
    ['\n\tconfig\n-\n', 'hid'],
    [' {"type": "config"}', 'data'],
    ['', undefined],
    [' \r\n\t', undefined],
  ])('of %j is %s', (text, syntax) => {
    expect(syntaxOf(text)).toBe(syntax);
    expect(syntaxOf(new TextEncoder().encode(text))).toBe(syntax);
  });

  it('makes no difference to the tree', () => {
    const hid = read('config | verbose: yes\n+ start a\n  + config\n    : text\n-\n');
    const xml = readNode('<config verbose="yes"><start name="a"><config>text</config></start></config>', {
      name: 'c',
    });
    const shape = (node: ConfigNode): unknown => [
      node.type,
      [...node.attributes].map(([name, { value }]) => [name, value]),
      node.text,
      node.children.map(shape),
    ];
    expect(shape(hid)).toEqual(shape(xml));
    expect(shape(readNode(JSON.stringify(toData(hid)), { name: 'c' }))).toEqual(shape(xml));
  });

  it('is named in the error where a file is called .xml and is none', () => {
    expect(errorOf('hello <config/>', 'c.xml')).toBe(
      'c.xml:1:16: the end of the text is missing: a last line with nothing but "-" (this is read as HID: XML begins with "<")',
    );
  });

  it('has errors with the name of the ROM, whatever the syntax is', () => {
    expect(errorOf('<a>', 'rom')).toBe('rom:1:1: <a> is never closed');
    expect(errorOf('{"type": 1}', 'rom')).toBe(
      'rom:1:1: not the data form of a config: config.at: not a position',
    );
    expect(errorOf('{"type": ', 'rom')).toMatch(/^rom:1:1: not the data form of a config: /);
    expect(errorOf('', 'rom')).toBe('rom:1:1: the file is empty');
  });
});

describe('HID', () => {
  it('gives the place of every node, attribute and text', () => {
    const root = read(
      'config a | b: 1\n+ start east side | ram: 1M\n  | + plant\n  : text\nx gone\n+ last\n-\n',
    );
    expect(root.position).toEqual(place(1, 1));
    expect(root.positionOf('name')).toEqual(place(1, 8));
    expect(root.positionOf('b')).toEqual(place(1, 12));
    const [start, last] = root.children;
    expect(start?.position).toEqual(place(2, 1));
    expect(start?.positionOf('name')).toEqual(place(2, 9));
    expect(start?.positionOf('ram')).toEqual(place(2, 21));
    expect(start?.children[0]?.position).toEqual(place(3, 5));
    expect(start?.textPosition).toEqual(place(4, 4));
    expect(last?.type).toBe('last');
  });

  it('counts characters, not units, where nodes stand below each other', () => {
    const root = read('a\n+ b 🙂 | + c\n      | + d\n-\n');
    expect(root.children[0]?.children.map(({ type }) => type)).toEqual(['c', 'd']);
  });

  it.each([
    ['a\r\n+ b\r\n-\r\n', 'CR LF'],
    ['\n\n  \na\n\n+ b\n   \n-', 'blank lines, and no line end behind the end mark'],
    ['a\n| | + b\n-  \n\u0000|', 'doubled bars, and anything behind the end'],
  ])('is read: %j (%s)', (text) => {
    expect(read(text).childrenOf('b').length).toBe(1);
  });

  it('is read though bytes behind its end are not UTF-8', () => {
    expect(readNode(new Uint8Array([0x61, 0x0a, 0x2d, 0x0a, 0xff]), { name: 'a' }).type).toBe('a');
  });

  it.each([
    ['a', 'c.hid:1:2: the end of the text is missing: a last line with nothing but "-"'],
    ['a\n  -\n', 'c.hid:2:3: "-" ends the text only at the start of a line'],
    ['a\n--\n', 'c.hid:2:1: "-" ends the text, and stands alone in its line then'],
    [' a\n-\n', 'c.hid:1:1: the top node begins at the start of its line'],
    ['\ufeffa\n-\n', 'c.hid:1:1: a byte order mark cannot stand before the top node'],
    ['. comment\na\n-\n', 'c.hid:1:1: the text begins with its top node: a type, without "+" before it'],
    ['A\n-\n', /^c\.hid:1:1: "A" cannot be the type of a node/],
    ['a\n+b\n-\n', 'c.hid:2:1: a space is missing behind "+"'],
    ['a\n+\n-\n', 'c.hid:2:1: a node needs a type: "+" stands before it'],
    ['a\nx\n-\n', 'c.hid:2:1: a node needs a type: "x" stands before it'],
    ['a\n+  b\n-\n', 'c.hid:2:3: one space stands between "+" and the type'],
    [`a\n+ ${'b'.repeat(64)}\n-\n`, /^c\.hid:2:3: "b{60}…" cannot be the type of a node/],
    ['a\nb:1\n-\n', 'c.hid:2:3: a space is missing behind "b:"'],
    ['a\nB: 1\n-\n', /^c\.hid:2:1: "B: 1" is none of a node/],
    ['a\n+ t http://x\n-\n', 'c.hid:2:5: a "|" is missing before "http:" (a name like that: | name: http:…)'],
    ['a | b: 1 |\n-\n', /^c\.hid:1:10: a stray "\|"/],
    ['a | b: 1| c: 2\n-\n', /^c\.hid:1:9: a stray "\|"/],
    ['a\n|b: 1\n-\n', 'c.hid:2:1: a space is missing behind this "|"'],
    ['a\n\tb: 1\n-\n', 'c.hid:2:1: a tabulator cannot stand here'],
    ['a\n+ b\rc\n-\n', 'c.hid:2:4: the character U+000D cannot stand here'],
    ['a\n: \u0007\n-\n', 'c.hid:2:3: the character U+0007 cannot stand here'],
    ['a\n+ b\u0085\n-\n', 'c.hid:2:4: the character U+0085 cannot stand here'],
    ['a\n.note\n-\n', 'c.hid:2:1: a space is missing behind ".", which begins a comment'],
    ['a\n+ b\n  + c\nd: 1\n-\n', 'c.hid:4:1: attribute "d" stands left of <c>, to which it would belong'],
    [
      'a\n+ b\n   : text\n-\n',
      "c.hid:3:4: Genode's tool drops a text in this column: it is indented by a multiple of 2",
    ],
  ])('refuses %j', (text, message) => {
    const found = errorOf(text);
    if (typeof message === 'string') expect(found).toBe(message);
    else expect(found).toMatch(message);
  });

  it('takes what the runtime takes, if it is read in a relaxed way', () => {
    const shape = (text: string): unknown => {
      const draw = (node: ConfigNode): string =>
        [
          node.type,
          ...[...node.attributes].map(([name, { value }]) => `${name}=${value}`),
          ...node.children.map((child) => `(${draw(child)})`),
        ].join(' ');
      return draw(read(text, true));
    };
    expect(shape('\n a\n-\n')).toBe('a');
    expect(shape('a\n+ t http://x\n-\n')).toBe('a (t name=http://x)');
    expect(shape('a\n+b\nword + c\n  B: 1\n   + d\n- end')).toBe('a (d)');
    expect(shape(`a\n+ ${'b'.repeat(70)}\n-\n`)).toBe(`a (${'b'.repeat(63)})`);
    expect(shape('a | b:1 | b: 2 |c: \u007f\n--')).toBe('a b= c=\u007f');
    expect(errorOf('a\n+ b\n', 'c.hid', true)).toContain('the end of the text is missing');
    expect(errorOf('a\n: \u0007\n-\n', 'c.hid', true)).toBe(
      'c.hid:2:3: the character U+0007 makes the whole text invalid',
    );
    expect(errorOf('+ a\n-\n', 'c.hid', true)).toBe(
      'c.hid:1:1: the text begins with the type of its top node',
    );
  });
});

describe('the content of the ROM "config"', () => {
  const config = (text: string): ConfigNode => parseConfig(new TextEncoder().encode(text));

  it('may be in any of the syntaxes; HID that others wrote is read as the runtime of Genode does', () => {
    expect(config('<config a="1"/>').value('a')).toBe('1');
    expect(config('config\n + sloppy | a: 1\n- end').child('sloppy')?.value('a')).toBe('1');
    expect(config(JSON.stringify(toData(read('config | a: 1\n-\n')))).value('a')).toBe('1');
  });

  it('is an empty config if it is absent or blank', () => {
    expect(parseConfig(undefined).type).toBe('config');
    expect(config(' \n').type).toBe('config');
  });

  it('is refused with a place in the ROM', () => {
    expect(() => config('<config>\n<a')).toThrow(/^config:2:1: /);
    expect(() => config('config\n+ a\n')).toThrow(/^config:3:1: the end of the text is missing/);
  });
});

describe('runtimeDifference', () => {
  const difference = (text: string) => runtimeDifference(text, read(text));
  it('names a node that the runtime of Genode puts elsewhere', () => {
    expect(difference('garden\n+ bed a | + row 1 | + plant leek\n        | + row 2\n-\n')).toEqual({
      text: "Genode's runtime puts <row> elsewhere: begin a line with each sub node",
      position: place(3, 11),
    });
  });
  it('names text beside sub nodes, which the runtime does not see', () => {
    expect(difference('garden\n+ note\n  : before\n  + line\n-\n')?.position).toEqual(place(3, 4));
  });
  it('finds nothing in the example of the manual', () => {
    const manual = readFileSync(new URL('../../../docs/hid.md', import.meta.url), 'utf8');
    const example = /```\n(config\n[^]*?)```/.exec(manual)?.[1] ?? '';
    expect(read(example).childrenOf('start').length).toBe(1);
    expect(difference(example)).toBeUndefined();
  });
  it('finds nothing in a plain text, nor in XML', () => {
    expect(difference('garden\n+ note\n  : text\n  x line\n-\n')).toBeUndefined();
    expect(runtimeDifference('<a>b<c/></a>', readNode('<a>b<c/></a>', { name: 'c' }))).toBeUndefined();
  });
});

describe('from XML to HID', () => {
  const hid = (xml: string): string => writeDocument(readDocument(xml, 'c.xml'), 'hid');

  it.each([
    ['a single line of text is kept as it is', '<a><b> hi &amp; bye </b></a>', 'a\n+ b\n  :  hi & bye \n-\n'],
    [
      'text that is laid out loses its layout',
      '<a>\n  one\n    two\n\n  three\n</a>',
      'a\n: one\n:   two\n:\n: three\n-\n',
    ],
    ['a CDATA section is kept as it is', '<a><![CDATA[\n <x> \n]]></a>', 'a\n:\n:  <x> \n:\n-\n'],
    ['text and elements keep their order', '<a>\n one\n <b/>\n two\n</a>', 'a\n: one\n+ b\n: two\n-\n'],
    ['blank text is layout', '<a>\n  \n</a>', 'a\n-\n'],
    ['entities are decoded', '<a v="x &lt; &#65;"/>', 'a | v: x < A\n-\n'],
    [
      'a name like an attribute is written as one',
      '<a><b name="c:d"/><b name=""/></a>',
      'a\n+ b | name: c:d\n+ b | name:\n-\n',
    ],
    [
      'comments go below the elements that they describe',
      '<!-- top --><a>\n<!-- near the wall -->\n<b x="1"/> <!-- sunny -->\n<!-- the\n     rest -->\n</a><!-- end -->',
      'a\n. top\n. the\n. rest\n. end\n+ b | x: 1\n  . near the wall\n  . sunny\n-\n',
    ],
    [
      'elements in a comment become disabled nodes',
      '<a>\n<!-- old -->\n<!-- <b x="1"><c/></b> <d/> -->\n<!-- <b> text -->\n<e/>\n</a>',
      'a\nx b | x: 1\n  . old\n  + c\nx d\n+ e\n  . <b> text\n-\n',
    ],
    [
      'attributes for editors are left out',
      '<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="g.xsd" b="1"/>',
      'a | b: 1\n-\n',
    ],
  ])('%s', (_, xml, expected) => {
    expect(hid(xml)).toBe(expected);
  });

  it('refuses what HID cannot hold, with the place in the XML', () => {
    const xml =
      '<config>\n  <Start name="a | b"/>\n  <s x.y="1" z=" a" t="&#9;"/>\n  <t>a&#13;b</t>\n  <u v="1&#10;2"/>\n</config>';
    const rule = 'a lower-case letter, then such letters, digits, "_", "-", at most 63';
    expect(hidProblems(readDocument(xml, 'c.xml')).map(({ message }) => message)).toEqual([
      `c.xml:2:3: HID cannot hold <Start>: a type is ${rule}`,
      'c.xml:2:10: HID cannot hold attribute "name" of <Start>, which is "a | b": a "|" ends a value',
      `c.xml:3:6: HID cannot hold attribute "x.y" of <s>: its name is ${rule}`,
      'c.xml:3:14: HID cannot hold attribute "z" of <s>, which is " a": spaces around a value are lost',
      'c.xml:3:21: HID cannot hold attribute "t" of <s>, which is "\\t": a tabulator cannot be in a value',
      'c.xml:4:6: HID cannot hold the character U+000D in this text',
      'c.xml:5:6: HID cannot hold attribute "v" of <u>, which is "1\\n2": the character U+000A cannot be in a value',
    ]);
    expect(() => writeHid(readNode(xml, { name: 'c.xml' }))).toThrow(/^c\.xml:2:3: HID cannot hold <Start>/);
  });
});

describe('from HID to XML', () => {
  const xml = (hid: string): string => writeDocument(readDocument(hid, 'c.hid'), 'xml');

  it.each([
    ['attributes are escaped', 'a | v: "<&>\n-\n', '<a v="&quot;&lt;&amp;&gt;"/>\n'],
    [
      'comments go above',
      'a\n. one\n. two--\n+ b | . three\n-\n',
      '<!-- one\n     two- - -->\n<a>\n  <b/> <!-- three -->\n</a>\n',
    ],
    [
      'disabled nodes become comments',
      'a\nx b | c: d--e\n  + f\n-\n',
      '<a>\n  <!-- <b c="d&#45;-e"><f/></b> -->\n</a>\n',
    ],
    [
      'an empty line of a comment ends with no space',
      'a\n. one\n.\n. two\n-\n',
      '<!-- one\n\n     two -->\n<a/>\n',
    ],
    ['empty lines at the ends of a text stay', 'a\n:\n: b\n:\n-\n', '<a>&#10;b&#10;</a>\n'],
  ])('%s', (_, hid, expected) => {
    expect(xml(hid)).toBe(expected);
  });

  it('and back, comments and disabled nodes are where they were', () => {
    const hid =
      'a\n. about a\n+ b | x: 1\n| . never\n+ c | . behind c\nx d | y: 2--3\n  + e | z: "\n+ f\n  . about f\n  : text\n-\n';
    const formatted = writeDocument(readDocument(hid.replace('| . never\n', ''), 'c.hid'), 'hid');
    expect(writeDocument(readDocument(xml(formatted), 'c.xml'), 'hid')).toBe(formatted);
  });
});
