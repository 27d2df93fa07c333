/**
 * For tests of components, under any test runner: runs one component in the thread of the test,
 * with peers that are functions of the test, on a clock that the test moves. Components cannot
 * import this. A driver's scripted host is a `HostPlatform` of `/platform`.
 */

// The component under test.
export { runComponent, type RunningComponent } from './testing/running-component.ts';
export type { RunComponentOptions } from './testing/test-options.ts';
export type { ConfigObject, ConfigScalar } from './testing/config-object.ts';

// Its peers and its clients.
export { script, type ScriptedOpener, type ScriptedService } from './testing/script.ts';
export type { ScriptedPeer, TestClient } from './testing/companion.ts';

// The report about it at the end.
export type { ComponentReport, Crash, UnreleasedCapabilities } from './testing/report.ts';
export type { OpenedSession } from './testing/child.ts';
