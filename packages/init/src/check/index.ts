/** Finds what cannot work in a configuration before anything starts. */
export { checkConfig, type CheckOptions } from './check.ts';
export { type ManifestFacts, manifestFactsFromData, type ManifestsByPath } from './facts.ts';
export type { CheckResult } from './findings.ts';
export { binariesOf, type StartPlace, startsOf } from './scope.ts';
export type { HostLimits } from './host-needs.ts';
