import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  type ConfigNode,
  type DocumentContent,
  readDocument,
  readNode,
  writeDocument,
} from '../src/config.ts';

/*
 * What Genode's own tool and runtime (26.02) make of HID, measured: what the strict reader says
 * must be the tree of the tool, or an error wherever the tool drops something, adds something or
 * complains; what the relaxed reader says is the tree of the runtime. Trees are written as (type
 * attribute="value" (child) :"text"), disabled nodes as x(type).
 */

interface Example {
  readonly number: number;
  readonly text: string;
  /** The tree of the strict reader, or its error without the name of the file. */
  readonly strict: string;
  /** The tree of the relaxed reader; that of the strict one if it is left out. */
  readonly relaxed?: string;
  /** What `ginit format` makes of the text; the text itself if it is left out. */
  readonly formatted?: string;
}

const EXAMPLES: readonly Example[] = [
  {
    number: 1,
    text: 'garden | wet: no | + bed | soil: clay | ph: 6.5',
    strict: '(garden wet="no" (bed soil="clay" ph="6.5"))',
    formatted: 'garden | wet: no\n+ bed | soil: clay | ph: 6.5',
  },
  {
    number: 2,
    text: 'garden\nwet: no\n+ bed east\nsoil: clay',
    strict: '(garden wet="no" (bed name="east" soil="clay"))',
    formatted: 'garden | wet: no\n+ bed east | soil: clay',
  },
  {
    number: 3,
    text: 'garden\n+ bed east side -> gate | soil: sandy loam',
    strict: '(garden (bed name="east side -> gate" soil="sandy loam"))',
  },
  {
    number: 4,
    text: 'garden\n+ bed | soil: clay | name: east',
    strict: '(garden (bed soil="clay" name="east"))',
    formatted: 'garden\n+ bed east | soil: clay',
  },
  {
    number: 5,
    text: 'garden\n+ bed east | name: west',
    strict: '2:14: attribute "name" of <bed> is given twice',
    relaxed: '(garden (bed name="east"))',
  },
  {
    number: 6,
    text: 'garden\n+ bed soil: clay',
    strict: '2:7: a "|" is missing before "soil:" (a name like that: | name: soil:…)',
    relaxed: '(garden (bed soil="clay"))',
  },
  {
    number: 7,
    text: 'garden\n+ bed East:1 | url: http://x:80/a?b=c',
    strict: '(garden (bed name="East:1" url="http://x:80/a?b=c"))',
  },
  {
    number: 8,
    text: 'garden\n+ bed | row: | gap:',
    strict: '(garden (bed row="" gap=""))',
  },
  {
    number: 9,
    text: 'garden\n+ bed a\n  + row 1 | + plant leek\n  + row 2 | + plant kale',
    strict: '(garden (bed name="a" (row name="1" (plant name="leek")) (row name="2" (plant name="kale"))))',
    formatted: 'garden\n+ bed a\n  + row 1\n  | + plant leek\n  + row 2\n    + plant kale',
  },
  {
    number: 10,
    text: 'garden\n+ bed a | + row 1 | + plant leek\n  + row 2',
    strict: '(garden (bed name="a" (row name="1" (plant name="leek")) (row name="2")))',
    formatted: 'garden\n+ bed a\n  + row 1\n  | + plant leek\n  + row 2',
  },
  {
    number: 11,
    text: 'garden\n+ bed a | + row 1 | + plant leek\n        | + row 2 | + plant kale',
    strict: '(garden (bed name="a" (row name="1" (plant name="leek")) (row name="2" (plant name="kale"))))',
    formatted: 'garden\n+ bed a\n  + row 1\n  | + plant leek\n  + row 2\n    + plant kale',
    relaxed: '(garden (bed name="a" (row name="1" (plant name="leek" (row name="2" (plant name="kale"))))))',
  },
  {
    number: 12,
    text: 'garden\n+ plot\n  + part\n    + b | + c\n      + d',
    strict: '(garden (plot (part (b (c) (d)))))',
    formatted: 'garden\n+ plot\n  + part\n    + b\n      + c\n      + d',
    relaxed: '(garden (plot (part (b (c (d))))))',
  },
  {
    number: 13,
    text: 'garden\n+ bed a\n  |\n  |  soil: clay\n  | + row 1\n  + path',
    strict: '(garden (bed name="a" soil="clay" (row name="1") (path)))',
    formatted: 'garden\n+ bed a | soil: clay\n  + row 1\n  + path',
  },
  {
    number: 14,
    text: 'garden\n+ bed a\n + row 1',
    strict: "3:2: Genode's tool drops a node in this column: it is indented by a multiple of 2",
    relaxed: '(garden (bed name="a" (row name="1")))',
  },
  {
    number: 15,
    text: 'garden\n+ bed a |   + row 1',
    strict: '2:13: Genode\'s tool drops a node in this column: one space stands between "|" and it',
    relaxed: '(garden (bed name="a" (row name="1")))',
  },
  {
    number: 16,
    text: 'garden\n+ bed a\n  + row 1\n  soil: clay',
    strict: '(garden (bed name="a" (row name="1" soil="clay")))',
    formatted: 'garden\n+ bed a\n  + row 1 | soil: clay',
  },
  {
    number: 17,
    text: 'garden\n+ note\n  : one | two\n  :\n  :  three \n  :four',
    strict: '6:3: a space is missing behind ":", which begins a line of text',
    relaxed: '(garden (note :"one | two" :"" :" three "))',
  },
  {
    number: 18,
    text: 'garden\n+ note todo | : water | daily\n            : weed',
    strict: '(garden (note name="todo" :"water | daily" :"weed"))',
    formatted: 'garden\n+ note todo\n  : water | daily\n  : weed',
  },
  {
    number: 19,
    text: 'garden\n+ note\n  : before\n  + line',
    strict: '(garden (note :"before" (line)))',
    relaxed: '(garden (note (line)))',
  },
  {
    number: 20,
    text: 'garden\n+ note\n  : mine\n  x old\n    : stale',
    strict: '(garden (note :"mine" x(old :"stale")))',
    relaxed: '(garden (note :"mine" :"stale"))',
  },
  {
    number: 21,
    text: 'garden\nx bed a | wet: yes\n  + row 1\n+ bed b | x row 2 | + plant kale',
    strict:
      '(garden x(bed name="a" wet="yes" (row name="1")) (bed name="b" x(row name="2" (plant name="kale"))))',
    formatted: 'garden\nx bed a | wet: yes\n  + row 1\n+ bed b\n  x row 2\n    + plant kale',
    relaxed: '(garden (bed name="b"))',
  },
  {
    // Genode's tool prints the trailing comment in a form that it loses the next time, and loses
    // the last one.
    number: 22,
    text:
      'garden\n.\n. planted in May | June\n.\n+ bed a | soil: clay | . heavy\n' +
      '+ bed b\n  . sunny\n  + row 1\n  . end of b',
    strict: '(garden (bed name="a" soil="clay") (bed name="b" (row name="1")))',
    formatted:
      'garden\n.\n. planted in May | June\n.\n+ bed a | soil: clay\n  . heavy\n' +
      '+ bed b\n  . sunny\n  + row 1\n    . end of b',
  },
  {
    // Genode's tool makes a part of the comment of "ph".
    number: 23,
    text: 'garden\n+ bed a\n  soil: clay | . heavy\n  ph:   7',
    strict: '(garden (bed name="a" soil="clay" ph="7"))',
    formatted: 'garden\n+ bed a | soil: clay | ph: 7\n  . heavy',
  },
  {
    number: 24,
    text: 'garden\n+ bed a|soil:clay',
    strict: '2:8: a stray "|": it stands between spaces, and cannot be in a name or a value',
    relaxed: '(garden (bed name="a" soil=""))',
  },
  {
    number: 25,
    text: 'garden\n+ Bed a\n+ bed.b',
    strict:
      '2:3: "Bed" cannot be the type of a node (a lower-case letter, then such letters, digits, "_", "-", at most 63)',
    relaxed: '(garden (invalid) (bed))',
  },
  {
    number: 26,
    text: 'garden\n+ bed a\nshed\n+ bed b',
    strict: '3:1: a second top node: there can be only one (a node within it begins with "+ ")',
    relaxed: '(garden (bed name="a") (bed name="b"))',
  },
  {
    number: 27,
    text: 'garden\n+ bed a\n-\nshed',
    strict: '(garden (bed name="a"))',
    formatted: 'garden\n+ bed a',
  },
  {
    number: 28,
    text: 'garden\n+ bed a\n- end\n+ bed b',
    strict: '3:1: "-" ends the text, and stands alone in its line then',
    relaxed: '(garden (bed name="a"))',
  },
  {
    number: 29,
    text: 'garden\n+ bed a | wet: \tno',
    strict: '2:16: a tabulator cannot stand here',
    relaxed: '2:16: a tabulator makes the whole text invalid',
  },
  {
    number: 30,
    text:
      'garden\n+ bed a-rather-long-name | soil: heavy clay with stones | gardener: somebody-or-other | ph: 7\n' +
      '  + row 1\n+ bed b | ph: 7 | q: 8',
    strict:
      '(garden (bed name="a-rather-long-name" soil="heavy clay with stones" gardener="somebody-or-other" ph="7" (row name="1")) (bed name="b" ph="7" q="8"))',
    formatted:
      'garden\n+ bed a-rather-long-name\n  |   soil:     heavy clay with stones\n' +
      '  |   gardener: somebody-or-other\n  |   ph:       7\n  + row 1\n+ bed b | ph: 7 | q: 8',
  },
  {
    number: 31,
    text:
      'garden\n+ shelf\n  + jar a | contents: dried tomatoes in oil, second batch | shelf_life: about eleven months\n' +
      '  + jar b | contents: jam',
    strict:
      '(garden (shelf (jar name="a" contents="dried tomatoes in oil, second batch" shelf_life="about eleven months") (jar name="b" contents="jam")))',
    formatted:
      'garden\n+ shelf\n  + jar a\n  |     contents:   dried tomatoes in oil, second batch\n' +
      '  |     shelf_life: about eleven months\n  + jar b\n        contents: jam',
  },
  {
    number: 37,
    text: 'garden\n+ note\n  : one\n  soil: clay',
    strict: '4:3: attribute "soil" stands behind the text of <note>: it would be lost',
    relaxed: '(garden (note :"one"))',
  },
];

const document = (text: string): string => `${text}\n-\n`;

function shownContent(part: DocumentContent): string {
  if (part.kind === 'text') return `:${JSON.stringify(part.text)}`;
  const attributes = [...part.attributes].map(([name, { value }]) => `${name}=${JSON.stringify(value)}`);
  const inner = [part.type, ...attributes, ...part.content.map(shownContent)].join(' ');
  return `${part.disabled ? 'x' : ''}(${inner})`;
}

function shownTree(node: ConfigNode): string {
  const attributes = [...node.attributes].map(([name, { value }]) => `${name}=${JSON.stringify(value)}`);
  const lines = node.text === '' ? [] : node.text.split('\n').map((line) => `:${JSON.stringify(line)}`);
  return `(${[node.type, ...attributes, ...lines, ...node.children.map(shownTree)].join(' ')})`;
}

function outcome(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replace(/^g\.hid:/, '');
    throw error;
  }
}

describe('HID, strictly', () => {
  it.each(EXAMPLES)('example $number', ({ text, strict }) => {
    expect(outcome(() => shownContent(readDocument(document(text), 'g.hid')))).toBe(strict);
  });
});

describe('HID by the rules of the runtime', () => {
  it.each(EXAMPLES)('example $number', ({ text, strict, relaxed = strict }) => {
    const read = () => shownTree(readNode(document(text), { name: 'g.hid', relaxed: true }));
    expect(outcome(read)).toBe(relaxed);
  });
});

describe('HID as it is formatted', () => {
  it.each(EXAMPLES.filter(({ strict }) => strict.startsWith('(')))(
    'example $number',
    ({ text, formatted = text }) => {
      const made = writeDocument(readDocument(document(text), 'g.hid'), 'hid');
      expect(made).toBe(document(formatted));
      expect(writeDocument(readDocument(made, 'g.hid'), 'hid')).toBe(made);
    },
  );
});

/*
 * The examples 32 to 36 are XML. Genode's tool trims text, keeps entities and writes what it cannot
 * hold.
 */
describe('XML as HID', () => {
  const hid = (xml: string): string => writeDocument(readDocument(xml, 'g.hid'), 'hid');

  it.each([
    [
      32,
      '<garden wet="no"><bed ph="7" name="a"/><note> hi &amp; bye </note></garden>',
      'garden | wet: no\n+ bed a | ph: 7\n+ note\n  :  hi & bye \n-\n',
    ],
    [33, '<garden><note>\n  one\n    two\n</note></garden>', 'garden\n+ note\n  : one\n  :   two\n-\n'],
    [
      34,
      '<garden v="a &lt; b" w=" x "/>',
      '1:22: HID cannot hold attribute "w" of <garden>, which is " x ": spaces around a value are lost',
    ],
    [
      35,
      '<garden v="a | b: 1"/>',
      '1:9: HID cannot hold attribute "v" of <garden>, which is "a | b: 1": a "|" ends a value',
    ],
    [
      36,
      '<garden>\n<!-- near the wall -->\n<bed a="1"/> <!-- sunny -->\n<!-- <bed b="2"/> -->\n<!-- the rest -->\n</garden>',
      'garden\n. the rest\n+ bed | a: 1\n  . near the wall\n  . sunny\nx bed | b: 2\n-\n',
    ],
  ])('example %i', (_, xml, expected) => {
    expect(outcome(() => hid(xml))).toBe(expected);
  });
});
