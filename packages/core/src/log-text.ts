/**
 * Text of components on its way to people. A line that a component has written must not look like a
 * line of another component or of ginit, and must not steer the terminal. So text is cut into lines
 * at LF, CR and CR LF, and each line gets its label. Every other control character is written as an
 * escape; so are the characters that some readers of logs take for the end of a line, and those
 * that reorder text. Files and pipes get the same text, because it may reach a terminal later.
 */

/**
 * C0 without the tabulator, DEL, C1, the line and paragraph separators, and what changes the
 * direction of the text around it (the characters with the property Bidi_Control): these reorder a
 * line on the screen, so that its label seems to be another one.
 */
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const LINE_END = /\r\n|\n|\r/;

/** The lines of a text. */
export function linesOf(text: string): string[] {
  return text.split(LINE_END);
}

/**
 * A text as one line that is safe to show: a character that a terminal would obey is written as an
 * escape, `\n`, `\x1b` or `\u2028` for instance.
 */
export function visibleText(text: string): string {
  return text.replace(CONTROLS, (character) => {
    const code = character.charCodeAt(0);
    if (character === '\n') return '\\n';
    if (character === '\r') return '\\r';
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
  });
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}

/** The lines of a text as they are shown, each behind the prefix. */
export function visibleLines(text: string, prefix: string): string[] {
  return linesOf(text).map((line) => visibleText(prefix + line));
}

/**
 * Lines of one message after the first are indented, so that none looks like a message of its own.
 */
const CONTINUATION = '  ';

/**
 * The lines of one message: `prefix` stands before the first, and before the others with an indent.
 */
export function messageLines(text: string, prefix: string): string[] {
  return linesOf(text).map((line, index) => (index === 0 ? prefix + line : prefix + CONTINUATION + line));
}
