/**
 * The rules for uses of `module`, `require` and `process`. The first two lead to every module of
 * Node, so only the forms below are allowed and every other use is refused; then nobody has to
 * follow where the values go. Much harmless code hands on `process`, so of that only the properties
 * that lead to Node's internals are refused. Property names that a source computes are not seen
 * here.
 */
import {
  assigned,
  leadsTo,
  type LoaderValue,
  type LoaderValues,
  passedOn,
  propertiesOf,
} from './loader-values.ts';
import type { ParsedFormat } from './source-format.ts';
import type { Scopes } from './scopes.ts';
import type { SourceImport } from './source-import.ts';
import {
  isNoUse,
  isTested,
  isTree,
  listOf,
  nameOf,
  propertyOf,
  textOf,
  type Tree,
  type Visit,
} from './tree.ts';

/** A forbidden use. */
export interface Misuse {
  readonly form: SourceImport['form'];
  readonly node: Tree;
  readonly what: string;
}

/**
 * Properties that lead to no module; some are those of bundlers. Every other property of `module`
 * and `require` is refused.
 */
const HARMLESS: Readonly<Record<'module' | 'modules' | 'require', ReadonlySet<string>>> = {
  module: new Set(['exports', 'id', 'filename', 'path', 'paths', 'loaded', 'isPreloading', 'hot']),
  modules: new Set(['length']),
  require: new Set(['resolve', 'name', 'length']),
};
const OF_PROCESS: ReadonlySet<string> = new Set(['binding', '_linkedBinding', 'dlopen']);
/**
 * Harmless parts of Node's internals that old libraries ask for: they tell which type a value has.
 */
const HARMLESS_BINDINGS: ReadonlySet<string> = new Set(['util']);
/** Objects of JavaScript whose functions read the properties of an argument. */
const READERS: ReadonlySet<string> = new Set(['Reflect', 'Object']);
/** The functions of these objects that give away no value of a property. */
const HARMLESS_READERS: ReadonlySet<string> = new Set(['keys', 'is', 'has', 'hasOwn', 'ownKeys']);

/** Says what is wrong with a node of the syntax tree, if anything. */
export function findMisuse(
  visit: Visit,
  values: LoaderValues,
  scopes: Scopes,
  format: ParsedFormat,
): Misuse | undefined {
  const { node, parent } = visit;
  if (!parent) return undefined;
  if (format === 'commonjs' && nameOf(node) === 'arguments') {
    const isUse = !isNoUse(node, parent) || isObject(node, parent);
    if (isUse && !isTested(node, parent) && scopes.isTopLevel(node))
      return { form: 'builtin', node, what: "the module's own arguments" };
  }
  // `{ process: { binding } } = globalThis`
  const { value: inner } = node;
  if (node.type === 'Property' && parent.type === 'ObjectPattern' && nameOf(node['key']) === 'process')
    return isTree(inner) && inner.type === 'ObjectPattern' ? misuseByPattern(inner, 'process') : undefined;
  const value = values.of(node);
  return value && misuseOf(node, parent, value, scopes);
}

function misuseOf(node: Tree, parent: Tree, value: LoaderValue, scopes: Scopes): Misuse | undefined {
  const [target, source] = assigned(parent);
  if (source === node && isTree(target) && target.type === 'ObjectPattern')
    return misuseByPattern(target, value);
  if (isObject(node, parent)) return misuseOfProperty(parent, scopes, value);
  if (value === 'process') return misuseOfProcess(node, parent, scopes);
  if (isHarmlessUse(node, parent, value, scopes)) return undefined;
  if (value === 'require') return { form: 'require', node, what: 'require under another name' };
  return { form: 'builtin', node, what: 'module under another name' };
}

function isHarmlessUse(
  node: Tree,
  parent: Tree,
  value: Exclude<LoaderValue, 'process'>,
  scopes: Scopes,
): boolean {
  if (isTested(node, parent) || isOverwritten(node, parent)) return true;
  // The value passes on to the node above; its use there is checked instead.
  if (parent.type !== 'AssignmentExpression' && passedOn(parent).includes(node)) return true;
  switch (parent.type) {
    case 'ExpressionStatement':
    case 'SequenceExpression':
      return true;
    case 'CallExpression':
    case 'NewExpression':
      if (parent['callee'] === node) return value === 'require';
      if (HARMLESS_READERS.has(readerOf(parent) ?? '')) return true;
      return isExportsDefinition(node, parent, scopes.parentOf(parent));
    case 'VariableDeclarator':
      if (nameOf(parent['id']) === undefined) return false;
      // `const require = createRequire(import.meta.url)` is allowed unless the variable is
      // exported.
      return value !== 'require' || (node.type === 'CallExpression' && !isExported(parent, scopes));
    case 'AssignmentExpression':
      // From here on the variable is known as such a value, and its uses are checked.
      return value !== 'require' && nameOf(parent['left']) !== undefined;
    default:
      return false;
  }
}

function isExported(declarator: Tree, scopes: Scopes): boolean {
  const declaration = scopes.parentOf(declarator);
  return declaration !== undefined && scopes.parentOf(declaration)?.type === 'ExportNamedDeclaration';
}

/**
 * `Object.defineProperty(module, 'exports', …)` as a statement of its own: nobody takes its result,
 * which is `module`.
 */
function isExportsDefinition(node: Tree, call: Tree, above: Tree | undefined): boolean {
  const [first, second] = listOf(call['arguments']);
  const { callee } = call;
  return (
    first === node &&
    textOf(second) === 'exports' &&
    isTree(callee) &&
    propertyOf(callee) === 'defineProperty' &&
    nameOf(callee['object']) === 'Object' &&
    above?.type === 'ExpressionStatement'
  );
}

/** `object.property` */
function misuseOfProperty(member: Tree, scopes: Scopes, value: LoaderValue): Misuse | undefined {
  const above = scopes.parentOf(member);
  const property = propertyOf(member);
  if (value === 'process') {
    if (property === undefined || !OF_PROCESS.has(property)) return undefined;
    return isHarmlessBinding(property, member, scopes) ? undefined : ofProcess(member, property);
  }
  // The property is such a value itself, and checked as one.
  if (leadsTo(value, property)) return undefined;
  if (property !== undefined && HARMLESS[value].has(property)) return undefined;
  if (above && (isLookedAt(member, scopes) || isOverwritten(member, above))) return undefined;
  return ofLoader(member, value, property);
}

/** Allows `process.binding('util')`, and tests whether `process.binding` exists. */
function isHarmlessBinding(property: string, member: Tree, scopes: Scopes): boolean {
  const above = scopes.parentOf(member);
  if (property !== 'binding' || !above) return false;
  if (above.type !== 'CallExpression' || above['callee'] !== member) return isLookedAt(member, scopes);
  return HARMLESS_BINDINGS.has(textOf(listOf(above['arguments'])[0]) ?? '');
}

/** Whether the code only tests that such a thing exists, also in a chain: `a && a.b && a.b.c`. */
function isLookedAt(node: Tree, scopes: Scopes): boolean {
  let at = node;
  let above = scopes.parentOf(at);
  while (above?.type === 'LogicalExpression' && above['operator'] === '&&' && above['right'] === at) {
    at = above;
    above = scopes.parentOf(at);
  }
  return isTested(at, above);
}

/** `const { property } = object` */
function misuseByPattern(pattern: Tree, value: LoaderValue): Misuse | undefined {
  for (const { node, property, pattern: inner } of propertiesOf(pattern)) {
    if (value === 'process') {
      const isRest = node.type === 'RestElement';
      if (isRest || (property !== undefined && OF_PROCESS.has(property)))
        return ofProcess(node, property ?? 'binding');
    } else if (property === undefined || !HARMLESS[value].has(property)) {
      const isKnown = nameOf(inner) !== undefined && leadsTo(value, property) === 'module';
      if (!isKnown) return ofLoader(node, value, property);
    }
  }
  return undefined;
}

/** Finds `Reflect.get(process, …)` and other calls that read properties by name. */
function misuseOfProcess(node: Tree, parent: Tree, scopes: Scopes): Misuse | undefined {
  if (parent.type === 'SpreadElement' && scopes.parentOf(parent)?.type === 'ObjectExpression')
    return ofProcess(node, 'binding');
  const reader = readerOf(parent);
  if (reader === undefined || HARMLESS_READERS.has(reader)) return undefined;
  return { form: 'builtin', node, what: 'process as an argument of Reflect or Object' };
}

/** The function of `Reflect` or `Object` that is called. */
function readerOf(call: Tree): string | undefined {
  const { callee } = call;
  if (call.type !== 'CallExpression' || !isTree(callee) || callee.type !== 'MemberExpression')
    return undefined;
  return READERS.has(nameOf(callee['object']) ?? '') ? (propertyOf(callee) ?? '') : undefined;
}

function ofProcess(node: Tree, property: string): Misuse {
  return { form: 'builtin', node, what: `process.${property}` };
}

function ofLoader(node: Tree, value: LoaderValue, property: string | undefined): Misuse {
  const root = value === 'require' ? 'require' : 'module';
  const what =
    property === undefined ? `a property of ${root} whose name is computed` : `${root}.${property}`;
  return { form: 'builtin', node, what };
}

function isObject(node: Tree, parent: Tree): boolean {
  return parent.type === 'MemberExpression' && parent['object'] === node;
}

/** Whether the value is overwritten or deleted here. */
function isOverwritten(node: Tree, parent: Tree): boolean {
  if (parent.type === 'AssignmentExpression') return parent['left'] === node && parent['operator'] === '=';
  return parent.type === 'UnaryExpression' && /^(?:delete|void)$/.test(String(parent['operator']));
}
