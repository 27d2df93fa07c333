/** Everything that components import: `env`, interfaces, sessions, packet streams, configuration. */
export { capability, capabilityOf, signal } from './capability/capability.ts';
export type { SignalCapability } from './capability/signal.ts';
export { bytesOfText, textOfBytes } from './byte-text.ts';
export { Component, component, type Main, type Manifest } from './component.ts';
export * from './config/index.ts';
export type { ConnectOptions, Env, Ram, SessionContext, SessionOpener } from './env.ts';
export { type Cost, COSTS, sumOf } from './costs.ts';
export * from './errors.ts';
export * from './interface/interface.ts';
export * from './interface/shapes.ts';
export { packetStream, type StreamDeclaration, type StreamRole } from './interface/stream.ts';
export * from './label.ts';
export { LIMITS } from './limits.ts';
export { linesOf, messageLines, visibleLines, visibleText } from './log-text.ts';
export { copyInto } from './memory/copy-into.ts';
export { Dataspace } from './memory/dataspace.ts';
export * from './packet-stream/index.ts';
export { type PolicyConfig, type PolicySelection, selectPolicy } from './policy.ts';
export type { Config } from './runtime/config.ts';
export type {
  HostAccess,
  HostConnection,
  HostDevice,
  HostDirectory,
  HostEntry,
  HostEntryStatus,
  HostError,
  HostErrorCode,
  HostFile,
  HostListener,
  HostOpenOptions,
  HostProcess,
  HostProcessEnd,
  HostSink,
  HostSource,
} from './runtime/host-access.ts';
export { AssertionFailed, type Obligation } from './runtime/assertions.ts';
export { keepLedger, type Ledger, type LedgerChild, type LedgerSession } from './runtime/ledger.ts';
export { refuseTooLittle } from './runtime/session-cost.ts';
export { RomClient } from './runtime/rom-client.ts';
export { RomModule } from './runtime/rom-module.ts';
export type { SessionTicket } from './runtime/session-client.ts';
export type { Synchronous, SynchronousOptions } from './runtime/synchronous.ts';
export type { CancelTimeout, Timeouts } from './runtime/timeouts.ts';
export * from './session/block/declaration.ts';
export * from './session/block/index.ts';
export * from './session/cpu.ts';
export * from './session/file_system/declaration.ts';
export * from './session/file_system/index.ts';
export * from './session/host-grant.ts';
export * from './session/log.ts';
export * from './session/parent.ts';
export * from './session/pd.ts';
export * from './session/rom.ts';
export * from './session/confinement.ts';
export * from './session/scheduling.ts';
export type { SessionOpening } from './session/session-opening.ts';
export * from './session/timer.ts';
