/**
 * The host as a driver reaches it: the types of what `env.host` opens, and the grants that allow
 * it.
 */
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
  HostFileOptions,
  HostListener,
  HostMount,
  HostMountOptions,
  HostOpenOptions,
  HostProcess,
  HostProcessEnd,
  HostSink,
  HostSource,
  HostTls,
  HostWorkplace,
} from './runtime/host-access.ts';
export {
  grantCovers,
  grantText,
  HOST_GRANT_KINDS,
  HostGrant,
  hostGrant,
  type HostGrantFact,
  type HostGrantKind,
} from './session/host-grant.ts';
