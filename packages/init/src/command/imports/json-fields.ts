/**
 * Finds the names of the fields of a JSON object as they stand in its text. `JSON.parse` shows each
 * name once only, and without its spelling.
 */

/** A field of the outermost object. */
export interface JsonField {
  readonly name: string;
  /** Whether the name is written with escapes. */
  readonly escaped: boolean;
}

/** A text, a bracket or a separator: the only parts that matter outside of texts. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

/** The fields of the object that `text` is, in their order. It must be valid JSON. */
export function fieldNamesOf(text: string): readonly JsonField[] {
  const fields: JsonField[] = [];
  let depth = 0;
  let last = '';
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (token === ':' && depth === 1) {
      const name: unknown = JSON.parse(last);
      fields.push({ name: String(name), escaped: last.includes('\\') });
    }
    last = token;
  }
  return fields;
}
