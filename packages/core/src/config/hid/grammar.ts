/*
 * HID, the configuration syntax of Genode since release 26.02, as far as its reader and its writer
 * share it. Grammar, in our words (Genode's specification is its doc/hid.txt):
 *
 *     document  = { blank } top { line } end
 *     top       = type [ SP+ name ] { SP "|" SP segment }
 *     line      = { " " | "|" } [ segment { SP "|" SP [ segment ] } ] EOL
 *     segment   = node | attribute | quote | comment
 *     node      = ( "+" | "x" ) SP type [ SP+ name ]      x: the node is disabled
 *     attribute = tag ":" [ SP+ value ]
 *     quote     = ":" [ SP text ]                         a line of the node's text
 *     comment   = "." [ SP text ]
 *     type, tag = [a-z] { [a-z0-9_-] }
 *     end       = "-" { SP } EOL                          in column 0; nothing behind it is looked at
 *
 * A quote and a comment take the rest of their line. Nothing is quoted or escaped: a "|", a line
 * break, a control character, or a space at its end cannot be in a value at all.
 *
 * The column of a node is that of its "+". It is a child of the nearest node before it with a
 * smaller column; the top counts as column -1.
 */

/** The longest type or name of an attribute: Genode's runtime silently cuts what is longer. */
export const HID_NAME_LENGTH_MAX = 63;

const NAME = /^[a-z][a-z0-9_-]*$/;
const TAG_AT_START = /^([a-z][a-z0-9_-]*):/;
/** Control characters; lone halves of surrogate pairs. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u;
/** The same without the tabulator, which a text and a comment may hold. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE_IN_TEXT = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]|\p{Surrogate}/u;

/** Whether `text` can be the type of a node or the name of an attribute. */
export function isHidName(text: string): boolean {
  return text.length <= HID_NAME_LENGTH_MAX && NAME.test(text);
}

/** The tag at the start of a segment, without its colon; `undefined` if it starts with none. */
export function tagAtStart(segment: string): string | undefined {
  return TAG_AT_START.exec(segment)?.[1];
}

/**
 * The offset of the first character that cannot stand in a type, a name or a value; -1 if there is
 * none.
 */
export function unprintableAt(text: string): number {
  return text.search(UNPRINTABLE);
}

/** The same for a line of text or of a comment. */
export function unprintableInTextAt(text: string): number {
  return text.search(UNPRINTABLE_IN_TEXT);
}

/** Names a character for people: `a tabulator`, or `the character U+0007`. */
export function namedCharacter(text: string, offset: number): string {
  const code = text.codePointAt(offset) ?? 0;
  if (code === 0x09) return 'a tabulator';
  return `the character U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}
