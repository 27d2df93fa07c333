/**
 * For a program that runs a whole system, as `ginit` does: the supervisor, and Node as the
 * platform.
 */
export { NodePlatform, type OutputSink } from './platform/ginit/node-platform.ts';
export { withoutJails } from './platform/ginit/jail-choice.ts';
export type { SpareKind } from './platform/ginit/spare-domains.ts';
export {
  type ManifestAnswer,
  ManifestReader,
  type ModuleToRead,
} from './platform/ginit/manifest-reader.ts';
export type { FindBinary, ResolvedBinary } from './supervisor/binary-service.ts';
export type { ResolvedGrant } from './runtime/host-access.ts';
export type { Placement, ThreadUse } from './supervisor/platform.ts';
export { BUNDLED } from './platform/host/form.ts';
export { openNodeFile } from './platform/thread/host-access/node-file.ts';
export { DatagramSocket } from './platform/host/datagram-socket.ts';
export type { KeptReport } from './supervisor/kept-reports.ts';
export type { KeptMachine } from './supervisor/kept-machines.ts';
export type { KeptTerminal } from './supervisor/kept-terminals.ts';
export { SupervisorServices } from './supervisor/supervisor-services.ts';
export type { ComponentOverview, SystemOverview } from './supervisor/system-overview.ts';
export type { AccountTree } from './supervisor/account-tree.ts';
export {
  type ComponentStanding,
  type ComponentSummary,
  ROOT_LABEL,
  Supervisor,
  type SystemConfig,
  type SystemEnd,
} from './supervisor/supervisor.ts';

// The machines of a cluster.
export type { TravellingCode, TravellingFile } from './supervisor/binary-service.ts';
export { NodeLedger } from './supervisor/node-ledger.ts';
export { BusProcess, type BusOptions } from './platform/ginit/bus-connection.ts';
export { ownPlatform } from './platform/host/own-platform.ts';
export {
  ClusterPlatform,
  type ClusterObserver,
  type Member,
  type NodeStanding,
} from './platform/cluster/cluster-platform.ts';
export type { CodeInUse, CodeStore, FetchFile } from './platform/cluster/code-store.ts';
export {
  CLUSTER_PROTOCOL,
  type CodeList,
  type NodeFacts,
  type NodeOffer,
} from './platform/cluster/messages.ts';
export { NodeAgent, type NodeObserver } from './platform/cluster/node-agent.ts';
