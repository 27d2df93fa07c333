/**
 * Finds the imports of a source by its syntax tree: `require` of CommonJS and of
 * `createRequire(import.meta.url)`, static and dynamic imports, and the ways around them that a
 * reader can see: `process.getBuiltinModule`, and the uses of `module`, `require` and `process`
 * that `loader-use.ts` forbids. A parameter called `require` counts as the real one. Computed code
 * and names (`eval`, a property whose name is put together) are not seen here; only a jail stops
 * those.
 */
import { createRequire } from 'node:module';
import { builtinName } from './builtins.ts';
import { LoaderValues } from './loader-values.ts';
import { findMisuse } from './loader-use.ts';
import type { ParsedFormat } from './source-format.ts';
import { Scopes } from './scopes.ts';
import { SourceError, type SourceImport } from './source-import.ts';
import { isNoUse, isTested, isTree, listOf, nameOf, nodesOf, propertyOf, textOf, type Tree } from './tree.ts';

/** The names whose properties lead to the loader of CommonJS or to Node's internals. */
const LOADER_ROOTS: ReadonlySet<string> = new Set(['module', 'require', 'process', 'globalThis', 'global']);

/**
 * The parser. It is loaded when the first source needs it, because most components have no such
 * source.
 */
let acorn: typeof import('acorn') | undefined;

const TOO_DEEP = 'it is nested too deeply';

/** Whether a source can be CommonJS by its syntax. Throws `SourceError` if nobody can say. */
export function isCommonJs(source: string): boolean {
  try {
    parse(source, 'commonjs');
    return true;
  } catch (error) {
    if (error instanceof SourceError && error.message !== TOO_DEEP) return false;
    throw error;
  }
}

/** The imports of `source`. Throws `SourceError` if it cannot be read. */
export function findRequires(source: string, format: ParsedFormat): readonly SourceImport[] {
  return new Search(source, format).run();
}

function loadAcorn(): typeof import('acorn') {
  return createRequire(import.meta.url)('acorn');
}

/** Throws `SourceError`. */
function parse(source: string, sourceType: ParsedFormat): Tree {
  acorn ??= loadAcorn();
  try {
    const tree: unknown = acorn.parse(source, { ecmaVersion: 'latest', sourceType, allowHashBang: true });
    if (isTree(tree)) return tree;
  } catch (error) {
    const position = error instanceof SyntaxError ? Number(Reflect.get(error, 'pos')) : 0;
    const reason = error instanceof Error ? error.message.replace(/ \(\d+:\d+\)$/, '') : String(error);
    throw new SourceError(error instanceof RangeError ? TOO_DEEP : reason, position || 0);
  }
  throw new SourceError('it has no syntax tree', 0);
}

class Search {
  readonly #found: SourceImport[] = [];
  readonly #format: ParsedFormat;
  readonly #source: string;
  /** Names that mean `require`. */
  readonly #requires = new Set<string>();
  /** Names that mean `createRequire`. */
  readonly #makers = new Set<string>();

  #values: LoaderValues | undefined;

  constructor(source: string, format: ParsedFormat) {
    this.#source = source;
    this.#format = format;
    if (format === 'commonjs') this.#requires.add('require');
  }

  run(): readonly SourceImport[] {
    const tree = parse(this.#source, this.#format);
    if (this.#format === 'module') {
      for (const { node, parent } of nodesOf(tree)) this.#findMaker(node, parent);
      for (const { node } of nodesOf(tree)) this.#findMade(node);
    }
    const visits = [...nodesOf(tree)];
    const scopes = new Scopes(visits);
    this.#values = new LoaderValues(visits, scopes, {
      commonjs: this.#format === 'commonjs',
      requires: this.#requires,
      isMade: (node) => this.#isMade(node),
    });
    for (const visit of visits) {
      this.#look(visit.node, visit.parent);
      const misuse = findMisuse(visit, this.#values, scopes, this.#format);
      if (misuse) this.#add(misuse.form, misuse.node, undefined, misuse.what);
    }
    return this.#found.toSorted((a, b) => a.offset - b.offset);
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
    // If only `createRequire` is imported, the uses of that are checked instead.
    if (!onlyMaker) this.#found.push({ form: 'import', specifier: textOf(source), offset: source.start + 1 });
  }

  #lookAtCall(node: Tree): void {
    const { callee } = node;
    const [argument] = listOf(node['arguments']);
    if (!isTree(callee)) return;
    if (isGetBuiltin(callee))
      this.#add('builtin', node, textOf(argument), 'a module of Node whose name is computed');
    else if (this.#values?.of(callee) === 'require' || this.#isRequire(callee))
      this.#add('require', node, textOf(argument));
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
    }
  }
}

/** The name at the left end of a chain of properties. */
function rootOf(node: Tree): string {
  let at: unknown = node;
  while (isTree(at) && (at.type === 'MemberExpression' || at.type === 'ChainExpression'))
    at = at.type === 'MemberExpression' ? at['object'] : at['expression'];
  return nameOf(at) ?? '';
}

function isGetBuiltin(callee: Tree): boolean {
  return nameOf(callee) === 'getBuiltinModule' || propertyOf(callee) === 'getBuiltinModule';
}

/** Whether this is `node:module`, Node's module about modules. */
function isModuleOfModules(specifier: string | undefined): boolean {
  return specifier !== undefined && builtinName(specifier) === 'module';
}
