/**
 * Finds constants of modules, by their syntax, that have plain data as their value and are not
 * named as data.
 *
 * Data are numbers, texts, patterns, and tables of them: values that are the same before the
 * program runs. They are named in capitals. Values that a call makes (a schema, a shape, a
 * component) are named as variables are. An enumeration that shares its name with a type is one
 * thing with that type, and has its name.
 */
import { parseAst } from 'rolldown/parseAst';
import type { ESTree } from 'rolldown/utils';

const CAPITALS = /^[A-Z][A-Z0-9_]*$/;
/** Collections that are tables if they are made of data. */
const TABLES = ['Map', 'Set', 'Uint8Array', 'RegExp'];

/** Constants of the module `text` that are data and not named in capitals. */
export function miscalledConstants(text: string, file: string): string[] {
  const declarations = parseAst(text, { lang: file.endsWith('.ts') ? 'ts' : 'js' }, file).body.map(
    (statement) => (statement.type === 'ExportNamedDeclaration' && statement.declaration) || statement,
  );
  const types = new Set(
    declarations.flatMap((node) => (node.type === 'TSTypeAliasDeclaration' ? [node.id.name] : [])),
  );
  const data = new Set<string>();
  for (const node of declarations) {
    if (node.type !== 'VariableDeclaration' || node.kind !== 'const') continue;
    for (const { id, init } of node.declarations) {
      if (id.type === 'Identifier' && isData(init, data)) data.add(id.name);
    }
  }
  return [...data].filter((name) => !CAPITALS.test(name) && !types.has(name));
}

/** Whether an expression is data; `known` are the constants before it that are data. */
function isData(node: ESTree.Node | null | undefined, known: ReadonlySet<string>): boolean {
  const all = (nodes: readonly (ESTree.Node | null)[]): boolean => nodes.every((each) => isData(each, known));
  switch (node?.type) {
    case 'Literal':
      return true;
    case 'ParenthesizedExpression':
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
      return isData(node.expression, known);
    case 'UnaryExpression':
    case 'SpreadElement':
      return isData(node.argument, known);
    case 'BinaryExpression':
      return all([node.left, node.right]);
    case 'TemplateLiteral':
      return all(node.expressions);
    case 'Identifier':
      return CAPITALS.test(node.name) || known.has(node.name);
    case 'MemberExpression':
      return !node.computed && (isData(node.object, known) || isNumberConstant(node));
    // An empty array is filled later.
    case 'ArrayExpression':
      return node.elements.length > 0 && all(node.elements);
    case 'ObjectExpression':
      return node.properties.length > 0 && all(node.properties);
    case 'Property':
      return node.kind === 'init' && isData(node.value, known);
    case 'NewExpression': {
      const { callee, arguments: given } = node;
      return callee.type === 'Identifier' && TABLES.includes(callee.name) && isTable(given) && all(given);
    }
    default:
      return false;
  }
}

/** `Number.MAX_SAFE_INTEGER` and the like. */
function isNumberConstant({ object, property }: ESTree.MemberExpression): boolean {
  const ofNumbers = object.type === 'Identifier' && (object.name === 'Number' || object.name === 'Math');
  return ofNumbers && property.type === 'Identifier' && CAPITALS.test(property.name);
}

/** Whether a collection is made with its content: `new Uint8Array(8)` is room, not data. */
function isTable(given: readonly ESTree.Node[]): boolean {
  return given[0] !== undefined && !(given[0].type === 'Literal' && typeof given[0].value === 'number');
}
