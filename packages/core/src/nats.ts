/**
 * For a program that joins components of several machines over NATS: nodes on a bus, the channels
 * between them, and the bus over a nats-server. docs/cluster.md in ginit's repository says how it
 * works.
 */
export type { BusClock } from './platform/nats/bus-clock.ts';
export { BusNode, type BusNodeOwner, type BusNodeParts } from './platform/nats/bus-node.ts';
export { Identity, newSeed } from './platform/nats/keys.ts';
export type { LinkChannel } from './platform/nats/link-channel.ts';
export { isPublicKey, NkeyError } from './platform/nats/nkey.ts';
export { type BusPermissions, isClusterName, permissionsOf } from './platform/nats/subjects.ts';
export { NatsBus, type NatsBusOptions } from './platform/nats/nats-bus.ts';
export type { NatsTls } from './platform/nats/nats-options.ts';
export { SystemClock } from './platform/nats/system-clock.ts';
export {
  BUS_PAYLOAD_BYTES_MIN,
  natsServerConfig,
  type ServerConfigParts,
} from './platform/nats/server-config.ts';
