/** The route model: rules, their reading from a configuration, and how they decide. */
export { withoutAliases } from './aliases.ts';
export { matchesLabel, rewriteLabel } from './labels.ts';
export { denialPhrase } from './denial-phrase.ts';
export { parseRoute } from './parse.ts';
export { possibleRoutes, type PossibleRoute } from './possible.ts';
export { type ConfigRom, type RequestingChild, resolveRequest } from './request.ts';
export {
  type ChosenTarget,
  chooseTarget,
  matchesService,
  type DenialReason,
  resolveRoute,
  type Route,
  type RouteDenial,
  type RouteRequest,
  type ServiceDirectory,
} from './resolve.ts';
export type { LabelFilter, LabelRewrite, RouteRule, RouteTarget } from './rule.ts';
export { DEFAULT_ROUTE_SCHEMA, ROUTE_SCHEMA } from './schema.ts';
