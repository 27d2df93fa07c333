/**
 * Session labels, as Genode has them: names joined by ` -> `, the one nearest to the root first. A
 * client names a session `data`; each parent on the way puts the name of the child before it, so a
 * server two levels up sees `tools -> shell -> data`. Because the parents write all but the last
 * part, a server can trust what stands before it.
 *
 * An empty client label leaves `child -> ` with an empty last element. A label is at most 160 bytes
 * of UTF-8; a longer one is refused, never cut, because a cut label could match another's policy.
 */

/** The text between two elements of a label. */
export const LABEL_SEPARATOR = ' -> ';

/** The longest label, in bytes of UTF-8. */
export const LABEL_SIZE_MAX_BYTES = 160;

/** The longest name of a child, in bytes of UTF-8. */
export const CHILD_NAME_SIZE_MAX_BYTES = 64;

/** Thrown for a text that cannot be a label; `message` says why. */
export class LabelError extends Error {
  override readonly name = 'LabelError';
}

/** An immutable session label. */
export class Label {
  readonly text: string;

  /** Throws `LabelError` if `text` is too long or holds control characters. */
  constructor(text: string) {
    const problem = labelProblem(text);
    if (problem !== undefined)
      throw new LabelError(`label ${JSON.stringify(text.slice(0, 200))}, ${problem}`);
    this.text = text;
  }

  /** The part behind the last separator: what the client itself asked for. */
  get last(): string {
    return splitLabel(this.text).last;
  }

  /**
   * The part before the last separator, empty if there is none. Genode calls it the identity in
   * routes.
   */
  get prefix(): string {
    return splitLabel(this.text).prefix;
  }

  /** The same as `prefix`, under the name that it has where a route rewrites a label. */
  get identity(): string {
    return this.prefix;
  }

  /** The names from the root to the client's own. */
  get elements(): readonly string[] {
    return this.text.split(LABEL_SEPARATOR);
  }

  /**
   * The label as the next parent sees it: `child -> label`. Throws `LabelError` if that is too
   * long.
   */
  prepend(child: string): Label {
    return new Label(prependLabel(child, this.text));
  }

  /** Tells whether the text begins with `prefix`; plain text, not whole elements. */
  startsWith(prefix: string): boolean {
    return this.text.startsWith(prefix);
  }

  /** Tells whether the text ends with `suffix`; plain text, not whole elements. */
  endsWith(suffix: string): boolean {
    return this.text.endsWith(suffix);
  }

  /**
   * The label without its leading `child -> `, or `undefined` if it has another leading element.
   */
  within(child: string): string | undefined {
    return labelWithin(this.text, child);
  }

  equals(other: Label): boolean {
    return this.text === other.text;
  }

  toString(): string {
    return this.text;
  }
}

/** `child -> text`, not checked for its length. */
export function prependLabel(child: string, text: string): string {
  return `${child}${LABEL_SEPARATOR}${text}`;
}

/** Splits at the last separator. */
export function splitLabel(text: string): { readonly prefix: string; readonly last: string } {
  const at = text.lastIndexOf(LABEL_SEPARATOR);
  if (at < 0) return { prefix: '', last: text };
  return { prefix: text.slice(0, at), last: text.slice(at + LABEL_SEPARATOR.length) };
}

/** The part of `text` behind a leading `child -> `; `undefined` if it does not begin so. */
export function labelWithin(text: string, child: string): string | undefined {
  const lead = `${child}${LABEL_SEPARATOR}`;
  return text.startsWith(lead) ? text.slice(lead.length) : undefined;
}

// A label ends up in log lines and file names: a line feed in it could forge another component's
// log line.
// oxlint-disable-next-line no-control-regex
const CONTROL_PATTERN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const LONE_SURROGATE_PATTERN = /\p{Surrogate}/u;

/** Says why `text` cannot be a label, to be read behind `label "…", `; `undefined` if it can. */
export function labelProblem(text: string): string | undefined {
  if (text.length > LABEL_SIZE_MAX_BYTES || utf8SizeBytes(text) > LABEL_SIZE_MAX_BYTES) {
    return `which is longer than ${LABEL_SIZE_MAX_BYTES} bytes`;
  }
  if (CONTROL_PATTERN.test(text)) return 'which holds control characters';
  if (LONE_SURROGATE_PATTERN.test(text)) return 'which is not well-formed text';
  return undefined;
}

/** Says why `name` cannot name a child, to be read behind `name "…", `; `undefined` if it can. */
export function childNameProblem(name: string): string | undefined {
  if (name === '') return 'which is empty';
  if (name.length > CHILD_NAME_SIZE_MAX_BYTES || utf8SizeBytes(name) > CHILD_NAME_SIZE_MAX_BYTES) {
    return `which is longer than ${CHILD_NAME_SIZE_MAX_BYTES} bytes`;
  }
  if (CONTROL_PATTERN.test(name)) return 'which holds control characters';
  if (LONE_SURROGATE_PATTERN.test(name)) return 'which is not well-formed text';
  if (name.includes('->')) return 'which holds "->", the separator of labels';
  // Values are trimmed when labels are compared, so such a name could be taken for another one.
  if (name.trim() !== name) return 'which begins or ends with a space';
  return undefined;
}

/** Size of a text in UTF-8; a lone surrogate counts as the replacement character. */
function utf8SizeBytes(text: string): number {
  let sizeBytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    sizeBytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return sizeBytes;
}
