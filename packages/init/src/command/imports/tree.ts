/** The syntax tree of a source, as acorn gives it, and what is asked of its nodes. */
import type { Node } from 'acorn';
import { isRecord } from '@ginit/core';

/** A node of the tree with its fields, which differ by its type. */
export type Tree = Node & { readonly [field: string]: unknown };

/** A node with the one above it. */
export interface Visit {
  readonly node: Tree;
  readonly parent: Tree | undefined;
}

/**
 * Every node with the one above it. There is no recursion, because sources may be nested
 * arbitrarily deep.
 */
export function* nodesOf(tree: Tree): Generator<Visit> {
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

export function isTree(value: unknown): value is Tree {
  return isRecord(value) && typeof value['type'] === 'string' && typeof value['start'] === 'number';
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The name of an identifier; `undefined` for any other node. */
export function nameOf(node: unknown): string | undefined {
  if (!isTree(node) || node.type !== 'Identifier') return undefined;
  return typeof node['name'] === 'string' ? node['name'] : undefined;
}

/** The text of an expression that is written out as one; `undefined` for any other node. */
export function textOf(node: unknown): string | undefined {
  if (!isTree(node)) return undefined;
  if (node.type === 'Literal') return typeof node['value'] === 'string' ? node['value'] : undefined;
  if (node.type !== 'TemplateLiteral' || listOf(node['expressions']).length > 0) return undefined;
  const [quasi] = listOf(node['quasis']);
  const value: unknown = isTree(quasi) ? quasi['value'] : undefined;
  return isRecord(value) && typeof value['cooked'] === 'string' ? value['cooked'] : undefined;
}

/** The name of the property that a member expression reads. */
export function propertyOf(node: Tree): string | undefined {
  if (node.type !== 'MemberExpression') return undefined;
  return node['computed'] === true ? textOf(node['property']) : nameOf(node['property']);
}

/** Whether the code only tests that such a thing exists. */
export function isTested(node: Tree, parent: Tree | undefined): boolean {
  if (parent?.type === 'UnaryExpression')
    return parent['operator'] === 'typeof' || parent['operator'] === '!';
  if (parent?.type === 'IfStatement' || parent?.type === 'ConditionalExpression')
    return parent['test'] === node;
  if (parent?.type === 'LogicalExpression') return parent['operator'] === '&&' && parent['left'] === node;
  return parent?.type === 'BinaryExpression' && /^[!=]==?$|^in$/.test(String(parent['operator']));
}

/**
 * Whether an identifier does not stand for the value of its name: it is a property's name, a
 * declaration or the object of a property.
 */
export function isNoUse(node: Tree, parent: Tree): boolean {
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
    case 'ArrayPattern':
    case 'RestElement':
      return true;
    case 'AssignmentPattern':
      return parent['left'] === node;
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
