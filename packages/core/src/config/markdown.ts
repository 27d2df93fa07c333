import { visibleText } from '../log-text.ts';
import { defaultOf, occurrences } from './describe.ts';
import type { AttributeSchema, ElementSchema } from './schema.ts';
import { formatBytes } from './values.ts';

/*
 * A schema as Markdown for manuals. The tables of this project are made by `npm run tables`, and a
 * test compares them with the schemas.
 */

const WORDS_MAX = 8;

/** The attributes of an element as a table, a row each. Ends without a line feed. */
export function attributeTable(schema: ElementSchema): string {
  const rows = Object.entries(schema.attributes ?? {}).map(
    ([name, attribute]) =>
      `| \`${name}\` | ${valueForm(attribute)} | ${whenMissing(attribute)} | ${cell(attribute.doc)} |`,
  );
  return ['| attribute | value | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/**
 * Every element that a schema knows, each with its place, what it is and its attributes. What
 * stands in several places is shown at the first. Ends without a line feed.
 */
export function elementReference(schema: ElementSchema): string {
  const sections: string[] = [];
  const shownIn = new Map<ElementSchema, string>();
  const show = (element: ElementSchema, above: string): void => {
    if (element.max === 0) return;
    const place = above === '' ? '' : ` in ${above}${occurrences(element)}`;
    const title = `**\`<${element.type}>\`**${place}`;
    const before = shownIn.get(element);
    if (before !== undefined) {
      sections.push(`${title}: as in ${before}.`);
      return;
    }
    shownIn.set(element, above);
    const content = element.anyContent === true ? ' (any content)' : '';
    sections.push(`${title}: ${cell(element.doc)}${content}.`);
    if (Object.keys(element.attributes ?? {}).length > 0) sections.push(attributeTable(element));
    const inside = above === '' ? `\`<${element.type}>\`` : `${above} \`<${element.type}>\``;
    for (const child of element.children ?? []) {
      if ('enclosing' in child) sections.push(`**\`<${child.enclosing}>\`** in ${inside}: as above.`);
      else show(child, inside);
    }
  };
  show(schema, '');
  return sections.join('\n\n');
}

function whenMissing(schema: AttributeSchema): string {
  if (schema.required === true) return 'required';
  const holds = defaultOf(schema) ?? '';
  return schema.fallback === undefined ? cell(holds) : `\`${cell(holds)}\``;
}

function valueForm(schema: AttributeSchema): string {
  switch (schema.kind) {
    case 'text':
    case 'name':
    case 'label':
      return schema.kind;
    case 'boolean':
      return 'yes or no';
    case 'one-of':
      return schema.values.length > WORDS_MAX
        ? `one of ${schema.values.length} words`
        : schema.values.map((word) => `\`${cell(word)}\``).join(', ');
    case 'integer':
      return `number${range(schema.min, schema.max, String)}`;
    case 'bytes':
      return `bytes${range(schema.min, schema.max, formatBytes)}`;
  }
}

function range(min: number | undefined, max: number | undefined, format: (value: number) => string): string {
  if (min === undefined) return max === undefined ? '' : `, at most ${format(max)}`;
  return max === undefined ? `, at least ${format(min)}` : `, ${format(min)} to ${format(max)}`;
}

/** A text within a cell of a table: no markup of its own. */
function cell(text: string): string {
  return visibleText(text).replaceAll(/[|<>*_\\`]/g, (character) => `\\${character}`);
}
