import { visibleText } from '../log-text.ts';
import type { AttributeSchema, ElementSchema } from './schema.ts';
import { formatBytes, formatValue } from './values.ts';

const COLUMNS_MAX = 100;
const WORDS_MAX = 8;
const WORDS_SHOWN = 3;

/**
 * The help text of a schema: each element with its attributes and, indented, its children. Lines
 * are filled to about 100 columns; the text ends with a line feed. What a schema says is somebody
 * else's text: control characters in it are shown.
 */
export function describe(schema: ElementSchema): string {
  const lines: string[] = [];
  describeElement(schema, 0, lines);
  return `${lines.join('\n')}\n`;
}

function describeElement(schema: ElementSchema, depth: number, lines: string[]): void {
  const indent = '  '.repeat(depth);
  const often = depth === 0 ? '' : occurrences(schema);
  lines.push(...filled(`${indent}<${schema.type}>${often}`, schema.doc, 24));
  for (const [name, attribute] of Object.entries(schema.attributes ?? {})) {
    lines.push(...filled(`${indent}  ${name}=${valueForm(attribute)}`, attributeDoc(attribute), 36));
  }
  if (schema.text === 'allowed') lines.push(`${indent}  text`);
  if (schema.text === 'required') lines.push(`${indent}  text (required)`);
  if (schema.anyContent === true) lines.push(`${indent}  any content`);
  for (const child of schema.children ?? []) {
    if ('enclosing' in child) lines.push(visibleText(`${indent}  <${child.enclosing}> again, as above`));
    else if (child.max !== 0) describeElement(child, depth + 1, lines);
  }
}

/** How often an element may stand in its parent, in parentheses with a space before. */
export function occurrences({ min = 0, max }: Pick<ElementSchema, 'min' | 'max'>): string {
  if (max === 1) return min === 0 ? ' (optional)' : ' (required)';
  if (max === undefined) return min === 0 ? ' (any number)' : ` (${min} or more)`;
  return min === max ? ` (${min})` : ` (${min} to ${max})`;
}

function valueForm(schema: AttributeSchema): string {
  switch (schema.kind) {
    case 'text':
      return 'TEXT';
    case 'name':
      return 'NAME';
    case 'label':
      return 'LABEL';
    case 'boolean':
      return 'yes|no';
    case 'one-of':
      return oneOfForm(schema.values);
    case 'integer':
      return `NUMBER${range(schema.min, schema.max, String)}`;
    case 'bytes':
      return `BYTES${range(schema.min, schema.max, formatBytes)}`;
  }
}

/** Long lists would hide what else there is: their first words do, and their number. */
function oneOfForm(values: readonly string[]): string {
  if (values.length <= WORDS_MAX) return values.join('|');
  return `${values.slice(0, WORDS_SHOWN).join('|')}|… (${values.length} words)`;
}

function range(min: number | undefined, max: number | undefined, format: (value: number) => string): string {
  if (min === undefined && max === undefined) return '';
  return `[${min === undefined ? '' : format(min)}..${max === undefined ? '' : format(max)}]`;
}

function attributeDoc(schema: AttributeSchema): string {
  const holds = whenMissing(schema);
  return holds === undefined ? schema.doc : `${schema.doc} (${holds})`;
}

/** How an attribute that may be missing is described: as required, or by its default. */
function whenMissing(schema: AttributeSchema): string | undefined {
  if (schema.required === true) return 'required';
  const holds = defaultOf(schema);
  return holds === undefined ? undefined : `default ${holds}`;
}

/**
 * The fallback as it would be written in a config, or else the words for what happens; `undefined`
 * if there are none.
 */
export function defaultOf({ fallback, otherwise, kind }: AttributeSchema): string | undefined {
  if (fallback === undefined) return otherwise;
  return fallback === '' ? '""' : formatValue(fallback, kind);
}

/** `head`, then the words of `doc` from the given column on. */
function filled(head: string, doc: string, column: number): string[] {
  const lines: string[] = [];
  let line = visibleText(head).padEnd(column - 1);
  let fresh = true;
  for (const word of doc.split(/\s+/).map(visibleText)) {
    if (!fresh && line.length + 1 + word.length > COLUMNS_MAX) {
      lines.push(line.trimEnd());
      line = ' '.repeat(column - 1);
    }
    line = `${line} ${word}`;
    fresh = false;
  }
  lines.push(line.trimEnd());
  return lines;
}
