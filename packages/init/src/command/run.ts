/** Runs a system from its checked config to its end, and turns that into an exit code. */
import { realpathSync } from 'node:fs';
import {
  type ClusterPlatform,
  type NodeStanding,
  NodePlatform,
  ROOT_LABEL,
  Supervisor,
  type SystemEnd,
} from '@ginit/core/supervisor';
import type { InitConfig, Quota } from '../model/index.ts';
import { initBinary } from './binaries.ts';
import { type CheckedConfig, readCheckedConfig } from './checked-config.ts';
import type { ControlServer } from './control/index.ts';
import { openControlDoor } from './control-door.ts';
import { controlRequests } from './control-requests.ts';
import { endFromOutside } from './endings.ts';
import type { Launcher } from './launcher.ts';
import { type FreeOfErrors, LiveConfig, systemConfigOf } from './live-config.ts';
import type { LogKeeper } from './log-keeper.ts';
import type { Output } from './output.ts';
import { notificationsTo, ServiceManager, watchdogMs } from './service-manager.ts';
import { formatSummary } from './summary.ts';
import { Terminal } from './terminal.ts';

const CRASH_EXIT_CODE = 1;
const REFUSED_EXIT_CODE = 2;

/** The system to run. */
export interface RunOptions {
  readonly platform: NodePlatform;
  readonly checked: FreeOfErrors;
  readonly quota: Quota;
  readonly summary: boolean;
  readonly launcher: Launcher;
  readonly logs: LogKeeper;
  /** The config as the command line names it. */
  readonly file: string;
  /** Whether the files of components are watched, too. */
  readonly dev: boolean;
  /** The name that the command line gives to the system. */
  readonly name: string | undefined;
  /** The cluster that it is the head of. */
  readonly head: ClusterHead | undefined;
}

/** A cluster, as far as the system that it belongs to is concerned. */
export interface ClusterHead {
  readonly platform: ClusterPlatform;
  /** Calls `handler` when this machine cannot be on the bus any more. */
  onFailed(handler: () => void): void;
  /** Lets those in that this config lets attach components. */
  goBy(config: InitConfig): void;
  /** Leaves the bus. */
  close(): Promise<void>;
}

/** Runs the system; settles with the exit code when everything of it is gone. */
export async function runSystem(options: RunOptions, output: Output): Promise<number> {
  const { platform, checked, file, quota, logs } = options;
  const { head } = options;
  head?.onFailed(() => supervisor.end({ kind: 'exit', code: CRASH_EXIT_CODE }));
  head?.goBy(checked.config);
  const supervisor: Supervisor = new Supervisor(head?.platform ?? platform, {
    binary: initBinary(checked.imports),
    ...systemConfigOf(checked),
    quota,
    observer: {
      crashed: (label, end) => {
        const how = end.culprit ? `crashed: ${end.reason}` : `is gone: ${end.reason}`;
        output.say(`[${label}] ${how}`);
        logs.keep(label, `ginit: ${how}`);
      },
      warning: (text) => output.say(`warning: ${text}`),
    },
  });
  // The config is live when the system has its name, and may be asked for a plan before.
  let inForce: Pick<LiveConfig, 'applied'> = { applied: checked };
  const checkOther = (other: string): Promise<CheckedConfig> =>
    readCheckedConfig(other, quota, undefined, undefined, inForce.applied);
  const nodes = head && ((): readonly NodeStanding[] => head.platform.nodes);
  const handlers = controlRequests({ supervisor, logs, check: checkOther, nodes });
  const door = await openControlDoor(realpathSync(file), options.name, handlers);
  if ('refused' in door) {
    output.say(door.refused);
    await platform.destroy();
    await head?.close();
    return REFUSED_EXIT_CODE;
  }
  if ('lack' in door) output.say(`warning: ginit ps and its like will not find this system: ${door.lack}`);
  const control: ControlServer | undefined = 'server' in door ? door.server : undefined;
  const check = (source: Uint8Array, before: CheckedConfig): Promise<CheckedConfig> =>
    readCheckedConfig(file, quota, undefined, source, before);
  const manager = serviceManager(supervisor, output);
  const reloading = (is: boolean): void => manager?.reloading(is);
  const applied = ({ config }: FreeOfErrors): void => head?.goBy(config);
  const live = new LiveConfig(
    { applied, reloading, file, check, supervisor, output, code: options.dev },
    checked,
  );
  inForce = live;
  const reload = (): void => void live.reload();
  const unlisten = endFromOutside(supervisor, output, options.launcher, { terminal: new Terminal(), reload });
  const end = await supervisor.run();
  live.close();
  manager?.stopping();
  if (options.summary) for (const line of formatSummary(await supervisor.summary())) output.say(line);
  await supervisor.stop(longestBoundMs(live.applied.config));
  await platform.destroy();
  await head?.close();
  unlisten();
  control?.close();
  manager?.close();
  return exitCode(end, supervisor.exitCode, output);
}

/** The service manager that has started this process, if it wants to be told. */
function serviceManager(supervisor: Supervisor, output: Output): ServiceManager | undefined {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = process.env;
  const variables = { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID };
  const to = notificationsTo(variables);
  if (to === undefined) return undefined;
  if (typeof to !== 'string') return new ServiceManager(to, supervisor, watchdogMs(variables, process.pid));
  output.say(`warning: the service manager is not told how the system stands: ${to}`);
  return undefined;
}

/** The bound for init itself: the longest time that it may wait for any of its children. */
function longestBoundMs({ stepBounds, starts }: InitConfig): number {
  return Math.max(stepBounds.boundMs, ...starts.map((start) => start.stepBounds.boundMs));
}

/** The exit code. `told` is the code that the system itself has given, at whatever time. */
function exitCode(end: SystemEnd, told: number | undefined, output: Output): number {
  if (end.kind === 'crash') {
    output.say(`[${ROOT_LABEL}] is gone, and with it the system`);
    return CRASH_EXIT_CODE;
  }
  // Lost output is no reason to hide how the system failed.
  return output.loss?.kind === 'failed' && told ? told : end.code;
}
