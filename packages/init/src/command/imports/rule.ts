/**
 * The one rule, checked: a component that is no driver imports nothing that gives authority. This
 * finds accidents and honest mistakes; only a jail stops hostile code.
 */
import type { Allowance } from '../../model/index.ts';
import { isHarmless } from './builtins.ts';
import type { GraphImport, ImportGraph, ImportPlace } from './graph.ts';

/** The allowance that the config lacks, for the error message. */
export type WantedAllowance = Omit<Allowance, 'position'>;

/** The rule that a graph is checked against. */
export interface ImportRule {
  /** Whether imports that happen while the component runs are forbidden, too. */
  readonly noLateImports?: boolean;
  readonly allowances?: readonly WantedAllowance[];
}

/** The first import that breaks the rule. */
export interface ForbiddenImport extends ImportPlace {
  /** For example "imports node:fs". */
  readonly what: string;
  /**
   * Whether the file cannot be read at all. Then nobody can say what it imports, and Node could not
   * load it either.
   */
  readonly broken: boolean;
  /** The package of the file that contains the import. */
  readonly importer: string | undefined;
  /** The allowance that would let its package pass; `undefined` outside of packages. */
  readonly allowance: WantedAllowance | undefined;
}

/** The first thing in the graph that breaks the rule. */
export function findForbidden(graph: ImportGraph, rule: ImportRule = {}): ForbiddenImport | undefined {
  const [problem] = graph.problems;
  if (problem) return { ...problem.place, what: problem.reason, broken: true, ...NOBODY };
  const wrong = graph.imports.find((found) => isForbidden(found, rule));
  if (wrong) {
    const allowance = allowanceFor(wrong, graph, rule);
    const importer = wrong.importer.name;
    return { ...wrong.place, what: describeForbidden(wrong), broken: false, importer, allowance };
  }
  const late = rule.noLateImports ? graph.imports.find(isLate) : undefined;
  return late && { ...late.place, what: `imports ${late.what} late`, broken: false, ...NOBODY };
}

const NOBODY = { importer: undefined, allowance: undefined } as const;

/** An allowance in the words of the config. */
export function describeAllowance({ module, uses, anything }: WantedAllowance): string {
  const attributes = [
    `module="${module}"`,
    ...(uses.length > 0 ? [`uses="${uses.join(' ')}"`] : []),
    ...(anything ? ['anything="yes"'] : []),
  ];
  return `<allow ${attributes.join(' ')}/>`;
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

function describeForbidden({ form, what, target, importer }: GraphImport): string {
  if (form === 'builtin' && target.kind === 'unknown') return `uses ${what}`;
  if (target.kind === 'ambiguous')
    return `imports ${what}, which not every Node finds in the same place (${target.reason}),`;
  if (target.kind === 'no-code') return `imports ${what}, which is no code by its name,`;
  if (target.kind === 'inner') return `imports ${what}, which is an inner module of @ginit/core,`;
  if (target.kind === 'outside' && target.by === 'name')
    return `imports ${what}, which leads out of the package that it names,`;
  if (target.kind === 'outside')
    return importer.installed
      ? `imports ${what}, which is outside of its package,`
      : `imports ${what}, which is outside of the config's directory and of the component's package,`;
  return target.kind === 'opaque' ? `imports ${what}, which cannot be looked into,` : `imports ${what}`;
}

/**
 * The allowance for everything that the package of a forbidden import wants, including what it has
 * been allowed already.
 */
function allowanceFor(wrong: GraphImport, graph: ImportGraph, rule: ImportRule): WantedAllowance | undefined {
  const { name: module, installed } = wrong.importer;
  if (module === undefined || !installed) return undefined;
  const wanted = graph.imports.filter(
    (found) => found.importer.name === module && isForbidden(found, { ...rule, allowances: [] }),
  );
  const uses = wanted.flatMap(({ target }) => (target.kind === 'builtin' ? [target.name] : []));
  const anything = wanted.some(({ target }) => target.kind !== 'builtin');
  return { module, uses: [...new Set(uses)].toSorted(), anything };
}
