/**
 * Text of components on its way to people. A line that somebody else has written must not look like one of another
 * component, or of ginit, and must not steer the terminal: so text is cut into lines at LF, CR and CR LF, each of which gets
 * its label, and every other control character is shown instead of sent, as is what some readers of logs take for
 * the end of a line, and what reorders it. What goes to a file or a pipe is the same: it may reach a terminal later.
 */

/**
 * C0 without the tabulator, DEL, C1, the line and paragraph separators, and what changes the direction of the text
 * around it (the characters with the property Bidi_Control): these reorder a line on the screen, so that its label seems
 * to be another one.
 */
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const LINE_END = /\r\n|\n|\r/;

/** The lines of a text. */
export function linesOf(text: string): string[] {
  return text.split(LINE_END);
}

/** A text as one line that a terminal only shows: `\n`, `\x1b` and `\u2028` for what it would obey. */
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

/** Lines after the first of one message are set in, so that none of them looks like a message of its own. */
const CONTINUATION = '  ';

/** The lines of one message, each with `prefix`. */
export function messageLines(text: string, prefix: string): string[] {
  return linesOf(text).map((line, index) => (index === 0 ? prefix + line : prefix + CONTINUATION + line));
}
