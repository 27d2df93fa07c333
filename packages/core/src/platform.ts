/**
 * For a *platform*, a place where components run: the simulator is one, and another machine can be.
 * A platform starts components, joins them by carriers, and gives each a `ComponentRuntime`, which
 * does everything above the carriers.
 */

// The services that the supervisor needs of a platform.
export type {
  ComponentEnd,
  ComponentSpecification,
  Platform,
  PlatformComponent,
} from './supervisor/platform.ts';

// How components are joined.
export type { Carrier, SharedMemory } from './channel/carrier.ts';
export { FrameKind } from './channel/frame.ts';
export { recordTitles } from './interface/operation.ts';
export { type MemorySharing, SHARES_ALL, SHARES_NO_MACHINE, SHARES_NONE } from './memory/shared-memory.ts';
export {
  type Bus,
  BUS_PAYLOAD_BYTES_MAX,
  type BusDenial,
  type BusMessage,
  isSubject,
  isSubjectPattern,
  subjectMatches,
} from './platform/bus.ts';

// A component on a platform.
export { AssertionFailed, type Obligation } from './runtime/assertions.ts';
export { ComponentRuntime } from './runtime/component-runtime.ts';
export type { Dealings } from './runtime/dealings.ts';
export { type Census, SUPERVISOR_ID } from './runtime/entrypoint.ts';
export type { SessionWatch, WatchedSession } from './runtime/session-watch.ts';

// For a platform that watches packet streams, as the simulator does.
export type { SinkWatch, SourceWatch, StreamLink, StreamPlace } from './packet-stream/index.ts';

// The host, as a platform gives it to drivers.
export type { HostPlace, HostPlatform } from './runtime/host-access.ts';
export { asyncContexts } from './platform/host/async-contexts.ts';
export { hostError } from './platform/host/host-error.ts';
export { guardZlibStreams } from './platform/host/zlib-streams.ts';
export { describeCrash, HEAP_FULL } from './platform/wire/crash-reason.ts';
