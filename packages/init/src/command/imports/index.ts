/** What components import: found without running them. */
export { type GraphImport, type ImportGraph, ImportGraphs, type ImportPlace } from './graph.ts';
export { type Allowance, findForbidden, type ForbiddenImport, type ImportRule } from './rule.ts';
export { PackageFiles } from './package-files.ts';
export { ImportResolver } from './resolve.ts';
