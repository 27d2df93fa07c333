/**
 * The scopes of a source, and the names that each declares. In a CommonJS module, `module`,
 * `require` and `arguments` are parameters of the function that Node makes of it: a `var` of that
 * name at its top level is the same variable.
 */
import { isTree, listOf, nameOf, type Tree, type Visit } from './tree.ts';

const SCOPES: ReadonlySet<string> = new Set([
  'Program',
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'ClassExpression',
  'BlockStatement',
  'StaticBlock',
  'SwitchStatement',
  'CatchClause',
  'ForStatement',
  'ForInStatement',
  'ForOfStatement',
]);
const FUNCTIONS: ReadonlySet<string> = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
]);

/** Finds the scope that declares a name. */
export class Scopes {
  readonly #parents = new Map<Tree, Tree>();
  readonly #names = new Map<Tree, Set<string>>();

  constructor(visits: readonly Visit[]) {
    for (const { node, parent } of visits) if (parent) this.#parents.set(node, parent);
    for (const { node } of visits) this.#declare(node);
  }

  parentOf(node: Tree): Tree | undefined {
    return this.#parents.get(node);
  }

  /** The scope that declares the variable of an identifier; `undefined` for a global variable. */
  declaring(identifier: Tree): Tree | undefined {
    const name = nameOf(identifier) ?? '';
    return this.#above(identifier, (scope) => this.#names.get(scope)?.has(name) ?? false);
  }

  /** Whether `this` and `arguments` are those of the module itself. */
  isTopLevel(node: Tree): boolean {
    return !this.#above(node, ({ type }) => FUNCTIONS.has(type) && type !== 'ArrowFunctionExpression');
  }

  /**
   * Whether a variable was surely given another value before this use of it: `var module =
   * list[0];` among the statements above it, those of the blocks around it included.
   */
  isReplacedBefore(identifier: Tree): boolean {
    const name = nameOf(identifier) ?? '';
    let at = identifier;
    for (let above = this.parentOf(at); above; above = this.parentOf(at)) {
      // A function may be called earlier than its place in the source suggests.
      if (FUNCTIONS.has(above.type) || above.type.startsWith('Class')) return false;
      if (above.type === 'BlockStatement' || above.type === 'Program') {
        const statements = listOf(above['body']);
        const before = statements.slice(0, statements.indexOf(at));
        if (before.some((one) => isTree(one) && givesValue(one, name))) return true;
      }
      at = above;
    }
    return false;
  }

  #above(from: Tree, holds: (scope: Tree) => boolean): Tree | undefined {
    for (let at = this.parentOf(from); at; at = this.parentOf(at)) if (holds(at)) return at;
    return undefined;
  }

  #declare(node: Tree): void {
    switch (node.type) {
      case 'VariableDeclaration': {
        const scope = node['kind'] === 'var' ? this.#variableScope(node) : this.#scope(node);
        for (const one of listOf(node['declarations'])) if (isTree(one)) this.#add(scope, one['id']);
        return;
      }
      case 'ClassDeclaration':
        return this.#add(this.#scope(node), node['id']);
      case 'ClassExpression':
        return this.#add(node, node['id']);
      case 'CatchClause':
        return this.#add(node, node['param']);
      case 'FunctionDeclaration':
        this.#add(this.#scope(node), node['id']);
        break;
      case 'FunctionExpression':
        this.#add(node, node['id']);
        break;
      case 'ArrowFunctionExpression':
        break;
      case 'ImportSpecifier':
      case 'ImportDefaultSpecifier':
      case 'ImportNamespaceSpecifier':
        return this.#add(this.#scope(node), node['local']);
      default:
        return;
    }
    for (const parameter of listOf(node['params'])) this.#add(node, parameter);
  }

  #scope(node: Tree): Tree | undefined {
    return this.#above(node, ({ type }) => SCOPES.has(type));
  }

  /** A `var` belongs to the body of its function: the parameters' own expressions do not see it. */
  #variableScope(node: Tree): Tree | undefined {
    return this.#above(node, (one) => {
      if (one.type === 'Program' || one.type === 'StaticBlock') return true;
      return one.type === 'BlockStatement' && FUNCTIONS.has(this.parentOf(one)?.type ?? '');
    });
  }

  /** Every name in a pattern. */
  #add(scope: Tree | undefined, pattern: unknown): void {
    if (!scope) return;
    const names = this.#names.get(scope) ?? new Set();
    this.#names.set(scope, names);
    const waiting: unknown[] = [pattern];
    while (waiting.length > 0) {
      const one = waiting.pop();
      if (!isTree(one)) continue;
      if (one.type === 'Identifier') names.add(nameOf(one) ?? '');
      else if (one.type === 'ObjectPattern') waiting.push(...listOf(one['properties']));
      else if (one.type === 'ArrayPattern') waiting.push(...listOf(one['elements']));
      else if (one.type === 'Property') waiting.push(one['value']);
      else if (one.type === 'RestElement') waiting.push(one['argument']);
      else if (one.type === 'AssignmentPattern') waiting.push(one['left']);
    }
  }
}

/** `var name = …;` */
function givesValue(statement: Tree, name: string): boolean {
  if (statement.type !== 'VariableDeclaration') return false;
  return listOf(statement['declarations']).some(
    (one) => isTree(one) && isTree(one['init']) && nameOf(one['id']) === name,
  );
}
