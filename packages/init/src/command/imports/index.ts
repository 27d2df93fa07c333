/** Finds the imports of components without running the components. */
export { isHostModule } from './builtins.ts';
export { type GraphImport, type ImportGraph, ImportGraphs, type ImportPlace } from './graph.ts';
export {
  describeAllowance,
  findForbidden,
  type ForbiddenImport,
  type ImportRule,
  type WantedAllowance,
} from './rule.ts';
export { PackageFiles } from './package-files.ts';
export { travellingCode } from './travelling.ts';
export { ImportResolver } from './resolve.ts';
