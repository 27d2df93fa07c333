/** For whoever runs a system: core, and Node as the place where components run. */
export { NodePlatform, type OutputSink } from './platform/process/node-platform.ts';
export { withoutJails } from './platform/process/jail-choice.ts';
export type { SpareKind } from './platform/process/spare-domains.ts';
export {
  type ManifestAnswer,
  ManifestReader,
  type ModuleToRead,
} from './platform/process/manifest-reader.ts';
export type { FindBinary, ResolvedBinary } from './supervisor/binary-service.ts';
export type { ResolvedGrant } from './runtime/host-access.ts';
export type { ComponentEnd, Placement } from './supervisor/platform.ts';
export { BUNDLED } from './platform/process/form.ts';
export { CoreServices } from './supervisor/core-services.ts';
export type { AccountTree } from './supervisor/account-tree.ts';
export {
  type ComponentStanding,
  type ComponentSummary,
  ROOT_LABEL,
  Supervisor,
  type SystemEnd,
} from './supervisor/supervisor.ts';
