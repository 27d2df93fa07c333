/**
 * Finds the expressions of a source that are `module`, `require` or `process`: by their own names,
 * by a variable that was given one of them (`const freeModule = typeof module === 'object' &&
 * module`), and by the properties that lead from one to another.
 */
import type { Scopes } from './scopes.ts';
import { isNoUse, isTree, listOf, nameOf, propertyOf, type Tree, type Visit } from './tree.ts';

/**
 * The kinds of loader value. `modules` is a collection of several modules: `module.children`,
 * `require.cache`.
 */
export type LoaderValue = 'module' | 'modules' | 'require' | 'process';

/** The properties that lead from one of these values to another. */
const LEADS: Readonly<Record<LoaderValue, Readonly<Record<string, LoaderValue>>>> = {
  module: { parent: 'module', children: 'modules', require: 'require' },
  modules: {},
  require: { main: 'module', cache: 'modules' },
  process: { mainModule: 'module' },
};

/** The kind of value that a property of such a value is; `undefined` if it is none of them. */
export function leadsTo(value: LoaderValue, property: string | undefined): LoaderValue | undefined {
  if (value === 'modules') return property === 'length' ? undefined : 'module';
  if (property === undefined || !Object.hasOwn(LEADS[value], property)) return undefined;
  return LEADS[value][property];
}

/** Further names of a source that matter here. */
export interface LoaderNames {
  /** Whether `module` is a variable of every source of this format. */
  readonly commonjs: boolean;
  /** Names that mean `require`, whoever declares them. */
  readonly requires: ReadonlySet<string>;
  /** Whether an expression makes a `require`. */
  readonly isMade: (node: Tree) => boolean;
}

/** Knows of every expression of a source whether it is a loader value. */
export class LoaderValues {
  readonly #scopes: Scopes;
  readonly #names: LoaderNames;
  readonly #values = new Map<Tree, LoaderValue>();
  /** Variables that were given such a value, by name and by the scope that declares them. */
  readonly #aliases = new Map<string, Map<Tree | undefined, LoaderValue>>();

  constructor(visits: readonly Visit[], scopes: Scopes, names: LoaderNames) {
    this.#scopes = scopes;
    this.#names = names;
    // Inner nodes come first, so that nothing here is recursive.
    const upwards = visits.toReversed();
    let known: number;
    do {
      known = this.#aliasCount();
      for (const { node, parent } of upwards) {
        const value = this.#valueOf(node, parent);
        if (value) this.#values.set(node, value);
      }
      for (const { node } of visits) this.#findAliases(node);
    } while (this.#aliasCount() > known);
  }

  of(node: unknown): LoaderValue | undefined {
    return isTree(node) ? this.#values.get(node) : undefined;
  }

  #aliasCount(): number {
    return Array.from(this.#aliases.values(), ({ size }) => size).reduce((sum, size) => sum + size, 0);
  }

  #valueOf(node: Tree, parent: Tree | undefined): LoaderValue | undefined {
    switch (node.type) {
      case 'Identifier':
        return parent && this.#isName(node, parent) ? undefined : this.#valueOfName(node);
      case 'MemberExpression': {
        const property = propertyOf(node);
        const object = this.of(node['object']);
        return property === 'process' ? 'process' : object && leadsTo(object, property);
      }
      case 'CallExpression':
        return this.#names.isMade(node) ? 'require' : undefined;
      default:
        return passedOn(node)
          .map((one) => this.of(one))
          .find((value) => value !== undefined);
    }
  }

  /**
   * Whether an identifier is only a name and no expression. The object of a property is an
   * expression, and so is a name that is exported.
   */
  #isName(node: Tree, parent: Tree): boolean {
    if (parent.type === 'MemberExpression' && parent['object'] === node) return false;
    if (parent.type === 'ExportSpecifier') return parent['local'] !== node;
    if (parent.type === 'Property' && this.#scopes.parentOf(parent)?.type === 'ObjectPattern')
      return parent['key'] !== node || parent['computed'] !== true;
    return isNoUse(node, parent);
  }

  #valueOfName(node: Tree): LoaderValue | undefined {
    const name = nameOf(node) ?? '';
    if (name === 'process') return 'process';
    if (this.#names.requires.has(name)) return 'require';
    if (name === 'module' && this.#names.commonjs) {
      const scope = this.#scopes.declaring(node);
      const isReal = scope === undefined || scope.type === 'Program';
      if (isReal && !this.#scopes.isReplacedBefore(node)) return 'module';
    }
    return this.#aliases.get(name)?.get(this.#scopes.declaring(node));
  }

  #findAliases(node: Tree): void {
    const [target, source] = assigned(node);
    const value = this.of(source);
    if (value) this.#alias(target, value);
    // `{ process: p } = globalThis`, wherever that pattern stands.
    if (node.type === 'Property' && nameOf(node['key']) === 'process')
      if (this.#scopes.parentOf(node)?.type === 'ObjectPattern') this.#alias(node['value'], 'process');
  }

  #alias(target: unknown, value: LoaderValue): void {
    if (!isTree(target)) return;
    const name = nameOf(target);
    if (name !== undefined) {
      // A source that gives `require` another name is refused for that alone.
      if (value === 'require') return;
      const found = this.#aliases.get(name) ?? new Map<Tree | undefined, LoaderValue>();
      const scope = this.#scopes.declaring(target);
      if (!found.has(scope)) this.#aliases.set(name, found.set(scope, value));
    } else if (target.type === 'AssignmentPattern') {
      this.#alias(target['left'], value);
    } else if (target.type === 'ObjectPattern') {
      for (const { property, pattern } of propertiesOf(target)) {
        const inner = leadsTo(value, property);
        if (inner) this.#alias(pattern, inner);
      }
    }
  }
}

/** The left and the right side of a node that gives a variable a value. */
export function assigned(node: Tree): readonly [target: unknown, source: unknown] {
  if (node.type === 'VariableDeclarator') return [node['id'], node['init']];
  if (node.type === 'AssignmentExpression' || node.type === 'AssignmentPattern')
    return [node['left'], node['right']];
  return [undefined, undefined];
}

/** The properties that a pattern takes from an object, each with the pattern that gets it. */
export function propertiesOf(
  pattern: Tree,
): readonly { readonly node: Tree; readonly property: string | undefined; readonly pattern: unknown }[] {
  return listOf(pattern['properties'])
    .filter(isTree)
    .map((node) => ({ node, property: keyOf(node), pattern: node['value'] }));
}

/** The key of a property, if it is written out; a rest element has none. */
function keyOf(node: Tree): string | undefined {
  const { key } = node;
  if (!isTree(key)) return undefined;
  if (node['computed'] !== true && key.type === 'Identifier') return nameOf(key);
  return key.type === 'Literal' && typeof key['value'] === 'string' ? key['value'] : undefined;
}

/** The parts of an expression of which one becomes the value of the whole. */
export function passedOn(node: Tree): readonly unknown[] {
  switch (node.type) {
    case 'ChainExpression':
      return [node['expression']];
    case 'LogicalExpression':
      return node['operator'] === '&&' ? [node['right']] : [node['left'], node['right']];
    case 'ConditionalExpression':
      return [node['consequent'], node['alternate']];
    case 'SequenceExpression':
      return listOf(node['expressions']).slice(-1);
    case 'AssignmentExpression':
      return [node['right']];
    case 'AwaitExpression':
      return [node['argument']];
    default:
      return [];
  }
}
