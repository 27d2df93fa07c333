/**
 * Control characters, line separators, and what stands for a byte that is no UTF-8 (see
 * `decodeName`).
 */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029]/gu;

/**
 * A name or a line of text as it may stand in one line of a log: what is not printable is written
 * as `\xNN`.
 */
export function printable(text: string, keep = ''): string {
  return text.replace(UNPRINTABLE, (character) => {
    if (keep.includes(character)) return character;
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code & 0xff).toString(16)}`;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}
