import type { ConfigNode } from '../config/index.ts';
import type { HostPlatform } from '../runtime/host-access.ts';
import type { HostGrantFact } from '../session/host-grant.ts';
import type { Resources } from '../session/pd.ts';
import type { ConfigObject } from './config-object.ts';
import type { ScriptedService } from './script.ts';

/** How a component is run in a test. */
export interface RunComponentOptions {
  /** Its name: the last part of its label, as its peers see it. `component` unless told. */
  readonly name?: string;
  /** Its `<config>`: a tree, or an object with attributes and child elements. Empty unless told. */
  readonly config?: ConfigNode | ConfigObject;
  /** The services that the test provides to it. LOG and Timer are there anyway. */
  readonly services?: readonly ScriptedService[];
  /** Its quota; 64 MiB and 1000 capabilities unless told. */
  readonly quota?: Partial<Resources>;
  /**
   * `controlled`, unless told: time stands still until `advance` is called. With `real` timers take
   * as long as they say.
   */
  readonly clock?: 'controlled' | 'real';
  /**
   * The first time that a controlled clock shows, in milliseconds since the start of 1970; the
   * start of 2000 unless told.
   */
  readonly startTimeMs?: number;
  /** The host grants of a driver, and the functions that stand for the host. */
  readonly host?: { readonly grants: readonly HostGrantFact[]; readonly platform: HostPlatform };
  /**
   * How long anything is waited for, in milliseconds of real time, before it is an error; 5000
   * unless told.
   */
  readonly timeoutMs?: number;
}
