import { comparePositions, ConfigError } from './error.ts';
import { CONFIG_LIMITS } from './limits.ts';
import type { ConfigNode } from './node.ts';
import type { AttributeSchema, ElementSchema } from './schema.ts';
import { childSchemas, isSelfContained } from './schema-children.ts';
import { didYouMean, suggest } from './suggest.ts';
import { shown, valueProblem } from './values.ts';

/**
 * Checks a tree against a schema and lists everything that is wrong, in the order of the document;
 * empty if nothing is. At most `CONFIG_LIMITS.errors` are listed, the last one then says that there
 * are more.
 */
export function validate(node: ConfigNode, schema: ElementSchema): ConfigError[] {
  const validator = new Validator();
  if (node.type === schema.type) validator.element(node, schema, []);
  else validator.add(node.errorAt(`expected <${schema.type}>, found <${node.type}>`));
  return validator.errors.toSorted((left, right) => comparePositions(left.position, right.position));
}

/**
 * The elements in which nothing was found wrong, with the schema by which they were looked at. A
 * new version of a config shares most of its elements with the one before (`sharing`).
 */
const SOUND = new WeakMap<ConfigNode, ElementSchema>();

class Validator {
  readonly errors: ConfigError[] = [];

  add(error: ConfigError): void {
    if (this.full) return;
    this.errors.push(error);
    if (this.errors.length === CONFIG_LIMITS.errors - 1) {
      this.errors.push(new ConfigError('too many errors, the rest is not listed', error.position));
    }
  }

  private get full(): boolean {
    return this.errors.length >= CONFIG_LIMITS.errors;
  }

  /** `around` are the schemas of the enclosing elements, the outermost first. */
  element(node: ConfigNode, schema: ElementSchema, around: readonly ElementSchema[]): void {
    if (this.full || SOUND.get(node) === schema) return;
    const { length } = this.errors;
    this.content(node, schema, [...around, schema]);
    if (this.errors.length === length && isSelfContained(schema)) SOUND.set(node, schema);
  }

  private content(node: ConfigNode, schema: ElementSchema, path: readonly ElementSchema[]): void {
    this.attributes(node, schema);
    this.text(node, schema);
    const children = childSchemas(schema, path);
    for (const child of node.children) {
      const found = children.get(child.type);
      if (found !== undefined && found.max !== 0) this.element(child, found, path);
      else if (found === undefined && schema.anyContent !== true) this.unknownElement(child, node, children);
    }
    this.occurrences(node, children);
  }

  private attributes(node: ConfigNode, schema: ElementSchema): void {
    const known = schema.attributes ?? {};
    for (const [name, { value, position }] of node.attributes) {
      const expected = Object.hasOwn(known, name) ? known[name] : undefined;
      if (expected !== undefined) {
        const problem = valueProblem(value, expected);
        if (problem === undefined) continue;
        const text = `attribute "${name}" of <${node.type}> is ${shown(value)}, ${problem}`;
        this.add(new ConfigError(text + slip(value, expected), position));
      } else if (schema.anyContent !== true) {
        const hint = didYouMean(name, Object.keys(known));
        this.add(new ConfigError(`unknown attribute "${name}" of <${node.type}>${hint}`, position));
      }
    }
    for (const [name, expected] of Object.entries(known)) {
      if (expected.required !== true || node.has(name)) continue;
      this.add(node.errorAt(`<${node.type}> needs an attribute "${name}"`));
    }
  }

  private text(node: ConfigNode, schema: ElementSchema): void {
    if (schema.anyContent === true) return;
    const text = schema.text ?? 'none';
    const blank = node.text.trim() === '';
    if (text === 'none' && !blank) {
      this.add(
        new ConfigError(`<${node.type}> holds no text, found ${shown(node.text.trim())}`, node.textPosition),
      );
    }
    if (text === 'required' && blank) this.add(node.errorAt(`<${node.type}> needs a text`));
  }

  private unknownElement(
    child: ConfigNode,
    parent: ConfigNode,
    known: ReadonlyMap<string, ElementSchema>,
  ): void {
    if (this.full) return;
    const suggestion = suggest(child.type, known.keys());
    const hint = suggestion === undefined ? '' : ` (did you mean <${suggestion}>?)`;
    this.add(child.errorAt(`unknown element <${child.type}> in <${parent.type}>${hint}`));
  }

  private occurrences(node: ConfigNode, children: ReadonlyMap<string, ElementSchema>): void {
    for (const { type, doc, min = 0, max } of children.values()) {
      if (min === 0 && max === undefined) continue;
      const found = node.childrenOf(type);
      if (found.length < min) {
        const needed = min === 1 ? `a <${type}>` : `at least ${min} of <${type}>`;
        this.add(node.errorAt(`<${node.type}> needs ${needed}`));
      }
      const surplus = max === undefined ? undefined : found[max];
      if (surplus === undefined) continue;
      const allowed = max === 1 ? `more than one <${type}>` : `more than ${max} of <${type}>`;
      this.add(
        surplus.errorAt(max === 0 ? `<${type}> is not allowed here: ${doc}` : `${allowed} in <${node.type}>`),
      );
    }
  }
}

function slip(value: string, expected: AttributeSchema): string {
  return expected.kind === 'one-of' ? didYouMean(value, expected.values) : '';
}
