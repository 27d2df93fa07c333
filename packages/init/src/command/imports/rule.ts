/**
 * The one rule, checked: a component that is no driver imports nothing that gives authority. This finds accidents and
 * honest mistakes; only a jail stops hostile code.
 */
import { isHarmless } from './builtins.ts';
import type { GraphImport, ImportGraph, ImportPlace } from './graph.ts';

/** A package that may use what others must not: `<allow module="undici" uses="net tls"/>`. */
export interface Allowance {
  /** Name of the package. */
  readonly module: string;
  /** Modules of Node that its files may import, by their names without `node:`. */
  readonly uses: readonly string[];
  /** Whether it may import what cannot be looked into: modules whose names are computed, native code. */
  readonly anything: boolean;
}

/** What is looked for. */
export interface ImportRule {
  /** Imports that happen while the component runs are forbidden, too. */
  readonly noLateImports?: boolean;
  readonly allowances?: readonly Allowance[];
}

/** What breaks the rule first. */
export interface ForbiddenImport extends ImportPlace {
  /** For example "imports node:fs". */
  readonly what: string;
  /** The allowance that would let its package pass; `undefined` outside of packages. */
  readonly allowance: Allowance | undefined;
}

/** The first thing in the graph that breaks the rule. */
export function findForbidden(graph: ImportGraph, rule: ImportRule = {}): ForbiddenImport | undefined {
  const [problem] = graph.problems;
  if (problem) {
    return {
      ...problem.place,
      what: `has a module that cannot be checked (${problem.reason})`,
      allowance: undefined,
    };
  }
  const wrong = graph.imports.find((found) => isForbidden(found, rule));
  if (wrong === undefined) {
    const late = rule.noLateImports ? graph.imports.find(isLate) : undefined;
    return late && { ...late.place, what: `imports ${late.what} late`, allowance: undefined };
  }
  return { ...wrong.place, what: describeForbidden(wrong), allowance: allowanceFor(wrong, graph, rule) };
}

function isLate({ form, target }: GraphImport): boolean {
  return form === 'late' && target.kind !== 'missing';
}

/** Whether a found import is forbidden; allowances of its package are looked at. */
function isForbidden({ target, importer }: GraphImport, { allowances = [] }: ImportRule): boolean {
  if (target.kind === 'file' || target.kind === 'missing') return false;
  if (target.kind === 'builtin' && isHarmless(target.name)) return false;
  return !allowances.some(
    ({ module, uses, anything }) =>
      module === importer.name && (target.kind === 'builtin' ? uses.includes(target.name) : anything),
  );
}

function describeForbidden({ form, what, target }: GraphImport): string {
  if (form === 'builtin' && target.kind === 'unknown') return `uses ${what}`;
  if (target.kind === 'outside') return `imports ${what}, which is outside of its package,`;
  return target.kind === 'opaque' ? `imports ${what}, which cannot be looked into,` : `imports ${what}`;
}

/** All that the package of a forbidden import wants, with what it has been allowed already. */
function allowanceFor(wrong: GraphImport, graph: ImportGraph, rule: ImportRule): Allowance | undefined {
  const { name: module, installed } = wrong.importer;
  if (module === undefined || !installed) return undefined;
  const wanted = graph.imports.filter(
    (found) => found.importer.name === module && isForbidden(found, { ...rule, allowances: [] }),
  );
  const uses = wanted.flatMap(({ target }) => (target.kind === 'builtin' ? [target.name] : []));
  const anything = wanted.some(({ target }) => target.kind !== 'builtin');
  return { module, uses: [...new Set(uses)].toSorted(), anything };
}
