/*
 * Finds words for mistakes in the form of an XML text. The scanner (saxes) says which rule was
 * broken; people want to know what to change. Each fault is a text and the offset of the place to
 * look at.
 */

/** A mistake in words, and its place as an offset into the text. */
export interface Fault {
  readonly text: string;
  readonly offset: number;
}

/** The state of the scanner when it finds a fault. */
export interface ScanState {
  readonly source: string;
  /** The offset behind the wrong character. */
  readonly offset: number;
  /** The offset behind the last tag, comment or other markup that was complete. */
  readonly markupEnd: number;
  /** The tag that is being read, with the offset behind the last complete part of it. */
  readonly tag: { readonly type: string; readonly start: number; readonly partEnd: number } | undefined;
  /** The innermost open element. */
  readonly open: { readonly type: string; readonly start: number } | undefined;
}

const PLAIN_AMPERSAND = 'a plain "&" is written &amp;';
const KNOWN_ENTITIES = 'known are &amp; &lt; &gt; &quot; &apos; and numbers like &#10;';
// Matches an ampersand that cannot begin an entity.
const BAD_AMPERSAND_PATTERN = /&(?!(?:[A-Za-z_][\w.-]*|#[0-9]+|#[xX][0-9A-Fa-f]+);)/g;

/** Puts the scanner's complaint `rule` into words. */
export function faultOf(rule: string, state: ScanState): Fault {
  const here = { offset: Math.max(0, state.offset - 1) };
  if (rule.startsWith('unclosed tag') || rule === 'unexpected end.') return endFault(state);
  if (rule.startsWith('unmatched closing tag')) {
    const offset = state.source.lastIndexOf('</', state.offset);
    return { text: `closing tag without an opening one: ${closingTag(state.source, offset)}`, offset };
  }
  switch (rule) {
    case 'document must contain a root element.':
      return state.source.trim() === '' ? { text: 'the file is empty', offset: 0 } : endFault(state);
    case 'documents may contain only one root.':
      return {
        text: 'a second outermost element: there can be only one',
        offset: state.tag?.start ?? here.offset,
      };
    case 'text data outside of root node.':
      return {
        text: 'text outside of the outermost element',
        offset: firstInk(state.source, state.markupEnd),
      };
    case 'undefined entity.':
    case 'empty entity name.':
    case 'disallowed character in entity name.':
    case 'malformed character entity.':
      return entityFault(state);
    case 'disallowed character.':
      return characterFault(state);
    case 'disallowed character in attribute name.': {
      const isEnd =
        /[/>]/.test(state.source.charAt(here.offset)) && /\S/.test(state.source.charAt(here.offset - 1));
      return {
        text: isEnd ? VALUE_MISSING : ATTRIBUTE_NAME_FAULT,
        ...here,
      };
    }
    default:
      return { text: RULE_TEXTS[rule] ?? rule.replace(/\.$/, ''), ...here };
  }
}

const ATTRIBUTE_NAME_FAULT =
  'this character cannot stand in the name of an attribute (is a quote missing before it?)';
const VALUE_MISSING = 'an attribute needs a value, as in name="value"';

const RULE_TEXTS: Readonly<Record<string, string>> = {
  'disallowed character in tag name': 'a plain "<" is written &lt;',
  'disallowed character in tag name.': 'this character cannot stand in the name of an element',
  'disallowed character in closing tag.': 'a closing tag holds only the name of its element',
  'attribute without value.': VALUE_MISSING,
  'unquoted attribute value.': 'the value of an attribute stands in quotes, as in name="value"',
  'no whitespace between attributes.': 'a space is missing before this attribute (or is a quote missing?)',
  'forward-slash in opening tag not followed by >.': '"/" in a tag stands only before ">"',
  'weird empty close tag.': 'a closing tag needs the name of its element',
  'malformed comment.': '"--" cannot stand within a comment',
  'incorrect syntax.': '"<!" begins a comment (<!-- … -->) or <![CDATA[ … ]]>, nothing else is known',
  'inappropriately located doctype declaration.': 'a DOCTYPE is not accepted',
  'the string "]]>" is disallowed in char data.': 'a plain "]]>" is written ]]&gt;',
  'an XML declaration must be at the start of the document.':
    '<?xml … ?> stands only at the very start of the file',
  'the XML declaration must appear at the start of the document.':
    '<?xml … ?> stands only at the very start of the file',
};

/** The closing tag `</name>` as it stands in the text, shortened. */
export function closingTag(source: string, offset: number): string {
  return source.slice(offset, offset + 80).split('>', 1)[0] + '>';
}

function entityFault({ source, offset, markupEnd, tag }: ScanState): Fault {
  BAD_AMPERSAND_PATTERN.lastIndex = tag?.partEnd ?? markupEnd;
  const plain = BAD_AMPERSAND_PATTERN.exec(source);
  if (plain !== null && plain.index < offset) return { text: PLAIN_AMPERSAND, offset: plain.index };
  const start = source.lastIndexOf('&', offset - 1);
  const entity = source.slice(start, Math.min(offset, start + 40));
  return { text: `unknown entity ${entity} (${KNOWN_ENTITIES})`, offset: start };
}

function characterFault({ source, offset, tag }: ScanState): Fault {
  const at = Math.max(0, offset - 1);
  if (source[at] === '<' && tag !== undefined) {
    const start = firstInk(source, tag.partEnd);
    const name = source.slice(start, start + 64).split(/[\s=]/, 1)[0] ?? '';
    const text = `"<" in the value of attribute "${name}" of <${tag.type}>: is its closing quote missing?`;
    return { text: `${text} (a plain "<" is written &lt;)`, offset: start };
  }
  const code = (source.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return { text: `the character U+${code} is not allowed`, offset: at };
}

/**
 * Describes a text that ended too early: names everything that was still open, the innermost first.
 */
function endFault({ source, markupEnd, tag, open }: ScanState): Fault {
  if (tag !== undefined) return openTagFault(source, tag);
  const markup = source.indexOf('<', markupEnd);
  BAD_AMPERSAND_PATTERN.lastIndex = markupEnd;
  const ampersand = BAD_AMPERSAND_PATTERN.exec(source);
  if (ampersand !== null && (markup < 0 || ampersand.index < markup)) {
    return { text: PLAIN_AMPERSAND, offset: ampersand.index };
  }
  if (markup >= 0) return openMarkupFault(source, markup);
  if (open !== undefined) return { text: `<${open.type}> is never closed`, offset: open.start };
  return { text: 'there is no element in this file', offset: 0 };
}

function openTagFault(source: string, tag: NonNullable<ScanState['tag']>): Fault {
  const start = firstInk(source, tag.partEnd);
  const attribute = /^([^\s=<>"']{1,64})\s*=\s*(["'])/.exec(source.slice(start, start + 200));
  if (attribute === null)
    return { text: `the tag of <${tag.type}> is never closed with ">"`, offset: tag.start };
  const [lead, name = '', quote = '"'] = attribute;
  BAD_AMPERSAND_PATTERN.lastIndex = start + lead.length;
  const ampersand = BAD_AMPERSAND_PATTERN.exec(source);
  // The scanner looks for the end of an entity before it looks for that of the value.
  const isQuoted = source.includes(quote, start + lead.length);
  if (isQuoted && ampersand !== null) return { text: PLAIN_AMPERSAND, offset: ampersand.index };
  return { text: `the value of attribute "${name}" of <${tag.type}> has no closing quote`, offset: start };
}

function openMarkupFault(source: string, offset: number): Fault {
  const kinds = [
    ['<!--', 'this comment is never closed with "-->"'],
    ['<![', 'this CDATA section is never closed with "]]>"'],
    ['<!D', 'a DOCTYPE is not accepted'],
    ['<?', 'this processing instruction is never closed with "?>"'],
    ['</', 'this closing tag is never closed with ">"'],
  ] as const;
  const kind = kinds.find(([start]) => source.startsWith(start, offset));
  return { text: kind?.[1] ?? 'the file ends within a tag', offset };
}

/** The first offset from `from` on that holds no white space. */
export function firstInk(source: string, from: number): number {
  let offset = from;
  while (offset < source.length && /\s/.test(source.charAt(offset))) offset++;
  return offset;
}
