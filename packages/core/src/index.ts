/**
 * The door for the author of a component. The other doors of this package: `/config` for config
 * schemas, `/block`, `/file_system` and `/report` for these services and what their clients and
 * servers stand on, `/packet-stream` for bulk data of your own, `/host` for drivers, `/system` for
 * components that run children, `/supervisor` for a program that runs a whole system, `/platform`
 * for a place where components run, `/testing` for tests.
 */

// A component, and what it is given.
export { Component, component, type Main, type Manifest } from './runtime/component.ts';
export type { Env, Ram, SessionContext, SessionOpener } from './runtime/env.ts';
export type { Config } from './runtime/config.ts';
export type { ConnectOptions, SessionConnectOptions } from './runtime/connect-options.ts';
export type { ResourceRequestOptions } from './runtime/resource-requests.ts';
export type { YieldHandler } from './runtime/yield-requests.ts';
export type { SessionOpening } from './session/session-opening.ts';
export type { SessionTicket } from './runtime/session-client.ts';
export type { Synchronous, SynchronousOptions } from './runtime/synchronous.ts';
export type { CancelTimeout, Timeouts } from './runtime/timeouts.ts';

// Interfaces: what components can ask of each other.
export {
  type AnyFunction,
  type Capability,
  type ClientStreams,
  type Implementation,
  type Interface,
  type InterfaceOptions,
  type Members,
  type Operation,
  type Remote,
  rpc,
  rpcInterface,
  type ServerStreams,
  type Session,
  session,
  type SessionArgument,
  type SessionInterface,
  type SessionOptions,
} from './interface/interface.ts';
export * from './interface/shapes.ts';

// Capabilities and signals.
export { capability, capabilityOf, signal } from './capability/capability.ts';
export type { SignalCapability } from './capability/signal.ts';

// Memory.
export { Dataspace } from './memory/dataspace.ts';

// Services that the supervisor provides to root init, which routes them to everybody.
export { Log } from './session/log.ts';
export { dataspace, Rom } from './session/rom.ts';
export { RomClient } from './runtime/rom-client.ts';
export { RomModule } from './runtime/rom-module.ts';
export { Timer } from './session/timer.ts';

// For servers: which client gets what, by its label and the server's policies.
export { Label } from './label.ts';
export { type PolicyConfig, type PolicySelection, requiredPolicy, selectPolicy } from './policy.ts';

// Errors.
export {
  assert,
  hasCode,
  PeerGone,
  RpcError,
  type RuntimeErrorCode,
  SessionError,
  type SessionErrorCode,
  unreachable,
} from './errors.ts';
