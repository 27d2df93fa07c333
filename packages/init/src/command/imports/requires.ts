/**
 * Imports of a source by its syntax tree: `require` of CommonJS and of `createRequire(import.meta.url)`, imports of both
 * kinds, and the ways around them that a reader can see: `process.getBuiltinModule`, `process.binding`, `module.constructor`.
 * Names are taken as they are written, whoever declares them: a parameter called `require` counts as the real one. What is
 * computed (`eval`, a property whose name is put together) is not seen here; only a jail stops that.
 */
import { createRequire } from 'node:module';
import type { Node } from 'acorn';
import { isRecord } from '@ginit/core';
import { builtinName } from './builtins.ts';
import type { SourceFormat } from './parse.ts';
import { SourceError, type SourceImport } from './source-import.ts';

/** Where properties lead to the loader of CommonJS or to Node's internals. */
const LOADER_ROOTS: ReadonlySet<string> = new Set(['module', 'require', 'process', 'globalThis', 'global']);
const OF_PROCESS: ReadonlySet<string> = new Set(['binding', '_linkedBinding', 'dlopen']);

/** Loaded when the first source needs it: most components have none. */
let acorn: typeof import('acorn') | undefined;

/** What `source` imports. Throws `SourceError` if it cannot be read. */
export function findRequires(source: string, format: SourceFormat): readonly SourceImport[] {
  return new Search(source, format).run();
}

function loadAcorn(): typeof import('acorn') {
  return createRequire(import.meta.url)('acorn');
}

/** A node of the tree with its fields, which differ by its type. */
type Tree = Node & { readonly [field: string]: unknown };

class Search {
  readonly #found: SourceImport[] = [];
  readonly #format: SourceFormat;
  readonly #source: string;
  /** Names that mean `require`. */
  readonly #requires = new Set<string>();
  /** Names that mean `createRequire`. */
  readonly #makers = new Set<string>();

  constructor(source: string, format: SourceFormat) {
    this.#source = source;
    this.#format = format;
    if (format === 'commonjs') this.#requires.add('require');
  }

  run(): readonly SourceImport[] {
    const tree = this.#parse();
    if (this.#format === 'module') {
      for (const { node, parent } of nodesOf(tree)) this.#findMaker(node, parent);
      for (const { node } of nodesOf(tree)) this.#findMade(node);
    }
    for (const { node, parent } of nodesOf(tree)) this.#look(node, parent);
    return this.#found.toSorted((a, b) => a.offset - b.offset);
  }

  #parse(): Tree {
    acorn ??= loadAcorn();
    try {
      const tree: unknown = acorn.parse(this.#source, {
        ecmaVersion: 'latest',
        sourceType: this.#format,
        allowHashBang: true,
      });
      if (isTree(tree)) return tree;
    } catch (error) {
      const position = error instanceof SyntaxError ? Number(Reflect.get(error, 'pos')) : 0;
      const reason = error instanceof Error ? error.message.replace(/ \(\d+:\d+\)$/, '') : String(error);
      throw new SourceError(error instanceof RangeError ? 'it is nested too deeply' : reason, position || 0);
    }
    throw new SourceError('it has no syntax tree', 0);
  }

  #add(form: SourceImport['form'], node: Tree, specifier: string | undefined, what?: string): void {
    this.#found.push({ form, specifier, offset: node.start, ...(what === undefined ? {} : { what }) });
  }

  /** `import { createRequire } from 'node:module'` */
  #findMaker(node: Tree, parent: Tree | undefined): void {
    if (node.type === 'ImportSpecifier' && parent && isModuleOfModules(textOf(parent['source']))) {
      if (nameOf(node['imported']) === 'createRequire') this.#makers.add(nameOf(node['local']) ?? '');
    }
  }

  /** `const require = createRequire(import.meta.url)` */
  #findMade(node: Tree): void {
    if (node.type !== 'VariableDeclarator' || !this.#isMade(node['init'])) return;
    const name = nameOf(node['id']);
    if (name !== undefined) this.#requires.add(name);
  }

  /** `createRequire(import.meta.url)` */
  #isMade(node: unknown): boolean {
    if (!isTree(node) || node.type !== 'CallExpression') return false;
    if (!this.#makers.has(nameOf(node['callee']) ?? '')) return false;
    const [argument] = listOf(node['arguments']);
    const isOwn = isTree(argument) && /^import\.meta\.(?:url|filename)$/.test(this.#textBetween(argument));
    return isOwn && listOf(node['arguments']).length === 1;
  }

  #textBetween({ start, end }: Tree): string {
    return this.#source.slice(start, end);
  }

  #look(node: Tree, parent: Tree | undefined): void {
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration':
        return this.#lookAtImport(node);
      case 'ImportExpression': {
        const { source } = node;
        return isTree(source) ? this.#add('late', source, textOf(source)) : undefined;
      }
      case 'CallExpression':
      case 'NewExpression':
        return this.#lookAtCall(node);
      case 'MemberExpression':
        return this.#lookAtMember(node, parent);
      case 'Property':
        if (parent?.type === 'ObjectPattern') this.#lookAtPattern(node);
        return;
      case 'Identifier':
        return this.#lookAtName(node, parent);
    }
  }

  #lookAtImport(node: Tree): void {
    const { source } = node;
    if (!isTree(source)) return;
    const onlyMaker =
      node.type === 'ImportDeclaration' &&
      isModuleOfModules(textOf(source)) &&
      listOf(node['specifiers']).length > 0 &&
      listOf(node['specifiers']).every((one) => isTree(one) && nameOf(one['imported']) === 'createRequire');
    // How createRequire is used is looked at instead.
    if (!onlyMaker) this.#found.push({ form: 'import', specifier: textOf(source), offset: source.start + 1 });
  }

  #lookAtCall(node: Tree): void {
    const { callee } = node;
    const [argument] = listOf(node['arguments']);
    if (!isTree(callee)) return;
    if (isGetBuiltin(callee))
      this.#add('builtin', node, textOf(argument), 'a module of Node whose name is computed');
    else if (this.#isRequire(callee)) this.#add('require', node, textOf(argument));
  }

  #isRequire(callee: Tree): boolean {
    if (this.#requires.has(nameOf(callee) ?? '')) return true;
    if (this.#isMade(callee)) return true;
    return propertyOf(callee) === 'require' && LOADER_ROOTS.has(rootOf(callee));
  }

  #lookAtMember(node: Tree, parent: Tree | undefined): void {
    const property = propertyOf(node);
    if (property === undefined) return;
    const called = parent?.type === 'CallExpression' && parent['callee'] === node;
    if (property === 'getBuiltinModule' && !called && !isTested(node, parent))
      this.#add('builtin', node, undefined, 'process.getBuiltinModule under another name');
    if (property === 'require' && !called && LOADER_ROOTS.has(rootOf(node)) && !isTested(node, parent))
      this.#add('require', node, undefined, 'require under another name');
    const { object } = node;
    if (OF_PROCESS.has(property) && isTree(object) && isProcess(object))
      this.#add('builtin', node, undefined, `process.${property}`);
    if (property === 'constructor' && this.#format === 'commonjs' && nameOf(object) === 'module')
      this.#add('builtin', node, undefined, 'module.constructor');
  }

  /** `const { getBuiltinModule } = process` */
  #lookAtPattern(node: Tree): void {
    const key = nameOf(node['key']) ?? textOf(node['key']);
    if (key === 'getBuiltinModule')
      this.#add('builtin', node, undefined, 'process.getBuiltinModule under another name');
    if (key === '_linkedBinding') this.#add('builtin', node, undefined, `process.${key}`);
  }

  #lookAtName(node: Tree, parent: Tree | undefined): void {
    const name = nameOf(node) ?? '';
    if (!parent || isNoUse(node, parent)) return;
    const called = parent.type === 'CallExpression' && parent['callee'] === node;
    if (this.#makers.has(name) && !(called && this.#isMade(parent))) {
      this.#add('builtin', node, 'node:module');
    } else if (this.#requires.has(name) && !called && !isTested(node, parent)) {
      this.#add('require', node, undefined, 'require under another name');
    }
  }
}

interface Visit {
  readonly node: Tree;
  readonly parent: Tree | undefined;
}

/** Every node with the one above it, without recursion: sources are as deep as somebody likes. */
function* nodesOf(tree: Tree): Generator<Visit> {
  const waiting: Visit[] = [{ node: tree, parent: undefined }];
  for (let visit = waiting.pop(); visit; visit = waiting.pop()) {
    yield visit;
    const { node } = visit;
    for (const value of Object.values(node)) {
      if (isTree(value)) waiting.push({ node: value, parent: node });
      else if (Array.isArray(value)) {
        for (const one of value) if (isTree(one)) waiting.push({ node: one, parent: node });
      }
    }
  }
}

function isTree(value: unknown): value is Tree {
  return isRecord(value) && typeof value['type'] === 'string' && typeof value['start'] === 'number';
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The name that an identifier is. */
function nameOf(node: unknown): string | undefined {
  if (!isTree(node) || node.type !== 'Identifier') return undefined;
  return typeof node['name'] === 'string' ? node['name'] : undefined;
}

/** The text that an expression is, if that stands there as it is. */
function textOf(node: unknown): string | undefined {
  if (!isTree(node)) return undefined;
  if (node.type === 'Literal') return typeof node['value'] === 'string' ? node['value'] : undefined;
  if (node.type !== 'TemplateLiteral' || listOf(node['expressions']).length > 0) return undefined;
  const [quasi] = listOf(node['quasis']);
  const value: unknown = isTree(quasi) ? quasi['value'] : undefined;
  return isRecord(value) && typeof value['cooked'] === 'string' ? value['cooked'] : undefined;
}

/** The name of the property that a member expression reads. */
function propertyOf(node: Tree): string | undefined {
  if (node.type !== 'MemberExpression') return undefined;
  return node['computed'] === true ? textOf(node['property']) : nameOf(node['property']);
}

/** The name at the left end of a chain of properties. */
function rootOf(node: Tree): string {
  let at: unknown = node;
  while (isTree(at) && (at.type === 'MemberExpression' || at.type === 'ChainExpression'))
    at = at.type === 'MemberExpression' ? at['object'] : at['expression'];
  return nameOf(at) ?? '';
}

/** `process`, `globalThis.process` and the like. */
function isProcess(node: Tree): boolean {
  return nameOf(node) === 'process' || propertyOf(node) === 'process';
}

function isGetBuiltin(callee: Tree): boolean {
  return nameOf(callee) === 'getBuiltinModule' || propertyOf(callee) === 'getBuiltinModule';
}

/** Node's module about modules. */
function isModuleOfModules(specifier: string | undefined): boolean {
  return specifier !== undefined && builtinName(specifier) === 'module';
}

/** Whether it is only looked whether there is such a thing. */
function isTested(node: Tree, parent: Tree | undefined): boolean {
  if (parent?.type === 'UnaryExpression')
    return parent['operator'] === 'typeof' || parent['operator'] === '!';
  if (parent?.type === 'IfStatement' || parent?.type === 'ConditionalExpression')
    return parent['test'] === node;
  if (parent?.type === 'LogicalExpression') return parent['operator'] === '&&' && parent['left'] === node;
  return parent?.type === 'BinaryExpression' && /^[!=]==?$|^in$/.test(String(parent['operator']));
}

/** Whether an identifier is not the value of that name: a property's name, a declaration, the object of a property. */
function isNoUse(node: Tree, parent: Tree): boolean {
  switch (parent.type) {
    case 'MemberExpression':
      return parent['object'] === node || parent['computed'] !== true;
    case 'Property':
    case 'MethodDefinition':
    case 'PropertyDefinition':
      return parent['key'] === node && parent['computed'] !== true && parent['shorthand'] !== true;
    case 'VariableDeclarator':
    case 'CatchClause':
      return parent['id'] === node || parent['param'] === node;
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return parent['body'] !== node;
    case 'ClassDeclaration':
    case 'ClassExpression':
      return parent['id'] === node;
    case 'ImportSpecifier':
    case 'ImportDefaultSpecifier':
    case 'ImportNamespaceSpecifier':
    case 'ExportSpecifier':
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
      return true;
    default:
      return false;
  }
}
