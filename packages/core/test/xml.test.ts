import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CONFIG_LIMITS,
  ConfigError,
  ConfigNode,
  fromData,
  toData,
  readXml,
  writeXml,
} from '@ginit/core/config';

/** A tree without places, for comparison. */
function bare(node: ConfigNode): unknown {
  return {
    type: node.type,
    attributes: [...node.attributes].map(([name, { value }]) => [name, value]),
    children: node.children.map(bare),
    text: node.text,
  };
}

function errorOf(source: string | Uint8Array): string {
  try {
    readXml(source, 'c.xml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const place = (line: number, column: number) => ({ file: 'c.xml', line, column });

describe('readXml', () => {
  it('knows the place of every element, attribute and text', () => {
    const root = readXml(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<!-- <not a="tag"/> & all that -->\n' +
        '<config a="1"\n' +
        "        b = '>/'>\n" +
        '\t<write  path="/x"\n  mode="y" >  hello &amp; <!-- & --> you\n</write><sync/>\n' +
        '  <raw><![CDATA[ <a> & ]]>!</raw  >\n' +
        '</config>\n<!-- end -->\n',
      'c.xml',
    );
    expect(root.position).toEqual(place(3, 1));
    expect(root.positionOf('a')).toEqual(place(3, 9));
    expect(root.positionOf('b')).toEqual(place(4, 9));
    expect(root.value('b')).toBe('>/');
    const [write, sync, raw] = root.children;
    expect(write?.position).toEqual(place(5, 2));
    expect(write?.positionOf('path')).toEqual(place(5, 10));
    expect(write?.positionOf('mode')).toEqual(place(6, 3));
    expect(write?.text).toBe('  hello &  you\n');
    expect(write?.textPosition).toEqual(place(6, 15));
    expect(sync?.position).toEqual(place(7, 9));
    expect(raw?.text).toBe(' <a> & !');
    expect(raw?.textPosition).toEqual(place(8, 18));
    expect(root.text).toBe('');
  });

  it.each([
    ['a BOM', '\ufeff<a>\n<b/></a>'],
    ['CR LF', '<a>\r\n<b/></a>'],
    ['a lone CR', '<a>\r<b/></a>'],
  ])('takes %s', (_, source) => {
    for (const form of [source, new TextEncoder().encode(source)]) {
      const root = readXml(form, 'c.xml');
      expect(root.position).toEqual(place(1, 1));
      expect(root.children[0]?.position).toEqual(place(2, 1));
    }
  });

  it('reads entities and line ends as XML says', () => {
    const root = readXml(
      '<a x="&lt;&gt;&amp;&quot;&apos;&#65;&#x42;\r\n\t.">1\r\n2\r3&#13;&#128578;</a>',
      'c.xml',
    );
    expect(root.value('x')).toBe('<>&"\'AB  .');
    expect(root.text).toBe('1\n2\n3\r🙂');
  });

  it.each([
    ['', 'c.xml:1:1: the file is empty'],
    [' \n ', 'c.xml:1:1: the file is empty'],
    ['<!-- x -->', 'c.xml:1:1: there is no element in this file'],
    ['hello', 'c.xml:1:1: text outside of the outermost element'],
    ['<a/>\n  hello', 'c.xml:2:3: text outside of the outermost element'],
    ['<a/>\n<b/>', 'c.xml:2:1: a second outermost element: there can be only one'],
    [
      '<config>\n  <start>\n  </strat>\n</config>',
      'c.xml:3:3: </strat> closes <start>, which was opened at 2:3',
    ],
    ['<config>\n  <start>\n</config>', 'c.xml:3:1: </config> closes <start>, which was opened at 2:3'],
    ['<a>\n  <b></b >\n  </c>\n</a>', 'c.xml:3:3: </c> closes <a>, which was opened at 1:1'],
    ['<a/></a>', 'c.xml:1:5: closing tag without an opening one: </a>'],
    ['<a>\n <b>\n  <c/>\n', 'c.xml:2:2: <b> is never closed'],
    ['<a>\n <b x="1"', 'c.xml:2:2: the tag of <b> is never closed with ">"'],
    [
      '<a>\n <b x="1/>\n</a>',
      'c.xml:2:5: "<" in the value of attribute "x" of <b>: is its closing quote missing? (a plain "<" is written &lt;)',
    ],
    ['<a>\n <b x="1/>\n', 'c.xml:2:5: the value of attribute "x" of <b> has no closing quote'],
    ['<a x="1" y="2" x="3"/>', 'c.xml:1:16: attribute "x" of <a> is given twice'],
    ['<a x=1/>', 'c.xml:1:6: the value of an attribute stands in quotes, as in name="value"'],
    ['<a x/>', 'c.xml:1:5: an attribute needs a value, as in name="value"'],
    ['<a x y="1"/>', 'c.xml:1:6: an attribute needs a value, as in name="value"'],
    ['<a x="1"y="2"/>', 'c.xml:1:9: a space is missing before this attribute (or is a quote missing?)'],
    [
      '<a ="1"/>',
      'c.xml:1:4: this character cannot stand in the name of an attribute (is a quote missing before it?)',
    ],
    ['<a / b="1"/>', 'c.xml:1:5: "/" in a tag stands only before ">"'],
    ['<a>\n x < y\n</a>', 'c.xml:2:5: a plain "<" is written &lt;'],
    ['<a>\n x & y\n</a>', 'c.xml:2:4: a plain "&" is written &amp;'],
    ['<a>\n x & y\n <b>&amp;</b></a>', 'c.xml:2:4: a plain "&" is written &amp;'],
    [
      '<a x="&amp; a&b;&c">',
      'c.xml:1:14: unknown entity &b; (known are &amp; &lt; &gt; &quot; &apos; and numbers like &#10;)',
    ],
    ['<a x="fish & chips"/>', 'c.xml:1:12: a plain "&" is written &amp;'],
    [
      '<a>&nbsp;</a>',
      'c.xml:1:4: unknown entity &nbsp; (known are &amp; &lt; &gt; &quot; &apos; and numbers like &#10;)',
    ],
    [
      '<a>&#0;</a>',
      'c.xml:1:4: unknown entity &#0; (known are &amp; &lt; &gt; &quot; &apos; and numbers like &#10;)',
    ],
    ['<a>&;</a>', 'c.xml:1:4: a plain "&" is written &amp;'],
    ['<a>&#xZ;</a>', 'c.xml:1:4: a plain "&" is written &amp;'],
    ['<!DOCTYPE a>\n<a/>', 'c.xml:1:1: a DOCTYPE is not accepted'],
    ['\n<!DOCTYPE a [<!ENTITY b "c">]>\n<a>&b;</a>', 'c.xml:2:1: a DOCTYPE is not accepted'],
    ['<!DOCTYPE a [', 'c.xml:1:1: a DOCTYPE is not accepted'],
    ['<a><!DOCTYPE a></a>', 'c.xml:1:12: a DOCTYPE is not accepted'],
    ['<a><!-- x', 'c.xml:1:4: this comment is never closed with "-->"'],
    ['<a><!-- x -- y --></a>', 'c.xml:1:13: "--" cannot stand within a comment'],
    ['<a><![CDATA[ x', 'c.xml:1:4: this CDATA section is never closed with "]]>"'],
    [
      '<a><!FOO bar></a>',
      'c.xml:1:12: "<!" begins a comment (<!-- … -->) or <![CDATA[ … ]]>, nothing else is known',
    ],
    ['<a><?pi', 'c.xml:1:4: this processing instruction is never closed with "?>"'],
    ['<a></a', 'c.xml:1:4: this closing tag is never closed with ">"'],
    ['<a>\n<', 'c.xml:2:1: the file ends within a tag'],
    ['<a>]]></a>', 'c.xml:1:6: a plain "]]>" is written ]]&gt;'],
    ['<a>\u0007</a>', 'c.xml:1:4: the character U+0007 is not allowed'],
    ['<a x="\u0000"/>', 'c.xml:1:7: the character U+0000 is not allowed'],
    ['<ü/>', 'c.xml:1:1: "ü" cannot name an element (at most 64 ASCII letters, digits, "_", "-", ".", ":")'],
    ['<a ü="1"/>', 'c.xml:1:4: "ü" cannot name an attribute'],
    [' <?xml version="1.0"?><a/>', 'c.xml:1:7: <?xml … ?> stands only at the very start of the file'],
    [
      '<?xml version="1.0" encoding="latin1"?><a/>',
      'c.xml:1:1: encoding "latin1" is not known: a configuration is UTF-8',
    ],
    [new Uint8Array([0x3c, 0x61, 0x0a, 0xff, 0x2f, 0x3e]), 'c.xml:2:1: the text is not UTF-8'],
  ])('%j', (source, message) => {
    expect(errorOf(source)).toBe(message);
  });

  it('keeps to its bounds', () => {
    const nested = (depth: number) => '<a>'.repeat(depth) + '</a>'.repeat(depth);
    expect(readXml(nested(CONFIG_LIMITS.depth), 'c.xml').type).toBe('a');
    expect(errorOf(nested(CONFIG_LIMITS.depth + 1))).toBe('c.xml:1:193: nested deeper than 64');
    expect(errorOf('x'.repeat(CONFIG_LIMITS.sizeBytes + 1))).toContain('larger than 4194304 bytes');
    expect(errorOf(`<a>${'<b/>'.repeat(CONFIG_LIMITS.nodes)}</a>`)).toContain('more than 100000 elements');
    const attributes = Array.from({ length: 257 }, (_, index) => `x${index}=""`).join(' ');
    expect(errorOf(`<a ${attributes}/>`)).toContain('more than 256 attributes');
  });

  it('reads a text of the largest size in a reasonable time, and its plain form fits', () => {
    const filler = 'x'.repeat(CONFIG_LIMITS.sizeBytes - 7);
    const root = readXml(`<a>${filler}</a>`, 'c.xml');
    expect(root.text.length).toBe(filler.length);
    expect(fromData(toData(root)).text.length).toBe(filler.length);
    expect(errorOf(`<a>${'&x'.repeat(2_000_000)}</a>`)).toContain('a plain "&"');
    expect(errorOf(`<a ${'x '.repeat(2_000_000)}/>`)).toContain('needs a value');
    expect(errorOf(`<a>${'<'.repeat(4_000_000)}`)).toContain('a plain "<"');
    expect(errorOf('<!--'.repeat(1_000_000))).toContain('comment');
  }, 20_000);

  it('refuses half a surrogate pair, wherever it stands', () => {
    expect(errorOf('<?pi\r\ud83d')).toBe('c.xml:2:1: a character is cut in half: the text is not Unicode');
    expect(errorOf('<a>\ude00</a>')).toContain('c.xml:1:4: a character is cut in half');
  });

  it('ends any input with a tree or a ConfigError', () => {
    const pieces =
      '<a>|</a>|<b x="1"|/>|>|<|&|&amp;|"|\'|=|<!--|-->|<![CDATA[|]]>|<?pi|?>|\n|\r| |x|\ud83d|<!DOCTYPE|[|]';
    const soup = fc.array(fc.constantFrom(...pieces.split('|')), { maxLength: 12 });
    fc.assert(
      fc.property(soup, (parts) => {
        const source = parts.join('');
        try {
          expect(readXml(source, 'c.xml')).toBeInstanceOf(ConfigNode);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          const lines = source.split(/\r\n|\r|\n/);
          const { line, column } = error.position;
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeGreaterThanOrEqual(1);
          expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 2);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('writeXml', () => {
  const name = fc.stringMatching(/^[a-z_][a-z0-9_.:-]{0,6}$/);
  // Text that XML can carry: no control characters but tab, LF and CR.
  const text = fc
    .string({
      unit: fc.oneof(
        fc.constantFrom(...'<>&"\'\n\r\t ]x-'),
        fc.string({ minLength: 1, maxLength: 1, unit: 'grapheme' }),
      ),
    })
    .filter((value) => !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(value)); // oxlint-disable-line no-control-regex
  const tree = fc.letrec<{ node: ConfigNode }>((tie) => ({
    node: fc
      .record({
        type: name,
        attributes: fc.dictionary(name, text, { maxKeys: 4, noNullPrototype: true }),
        children: fc.oneof({ depthSize: 'small' }, fc.constant([]), fc.array(tie('node'))),
        text,
      })
      .map(({ type, attributes, children, text: content }) => {
        const { attributes: entries } = ConfigNode.make(type, attributes);
        return new ConfigNode(type, { attributes: entries, children, text: content });
      }),
  })).node;

  it('writes text that reads back as the same tree', () => {
    fc.assert(
      fc.property(tree, (node) => {
        expect(bare(readXml(writeXml(node), 'c.xml'))).toEqual(bare(node));
      }),
      { numRuns: 500 },
    );
  });

  it('indents elements that hold no text', () => {
    const node = ConfigNode.make('state', { version: 1 }, [
      ConfigNode.make('child', { name: 'a<b' }, [ConfigNode.make('ram', { quota: '4M' })]),
      ConfigNode.make('log', {}, 'x & y'),
    ]);
    expect(writeXml(node)).toBe(
      '<state version="1">\n  <child name="a&lt;b">\n    <ram quota="4M"/>\n  </child>\n  <log>x &amp; y</log>\n</state>\n',
    );
  });

  it('replaces characters that XML cannot carry', () => {
    const node = ConfigNode.make('a', { x: '\u0000\ud800' }, 'b\u001b[31m\uffff');
    expect(writeXml(node)).toBe('<a x="\ufffd\ufffd">b\ufffd[31m\ufffd</a>\n');
  });
});
