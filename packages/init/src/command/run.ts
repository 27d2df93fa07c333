/** Runs a system from its checked config to its end, and turns that into an exit code. */
import { toData, type ConfigNode } from '@ginit/core/config';
import {
  NodePlatform,
  ROOT_LABEL,
  type ResolvedGrant,
  Supervisor,
  type SystemEnd,
} from '@ginit/core/supervisor';
import type { InitConfig, Quota } from '../model/index.ts';
import { initBinary, type NamedBinaries, startable } from './binaries.ts';
import type { ComponentImports } from './component-imports.ts';
import { controlRequests } from './control-requests.ts';
import { openControlDoor } from './control-door.ts';
import type { ControlServer } from './control/index.ts';
import { endFromOutside } from './endings.ts';
import type { GrantTargets } from './grant-targets.ts';
import type { Launcher } from './launcher.ts';
import type { LogKeeper } from './log-keeper.ts';
import type { Output } from './output.ts';
import { formatSummary } from './summary.ts';

const CRASH_EXIT_CODE = 1;
const REFUSED_EXIT_CODE = 2;

/** The system to run. */
export interface RunOptions {
  readonly platform: NodePlatform;
  readonly node: ConfigNode;
  readonly config: InitConfig;
  /** The binaries that the config names to be started. */
  readonly binaries: NamedBinaries;
  readonly imports: ComponentImports;
  /** The files that its grants lead to. */
  readonly targets: GrantTargets;
  readonly quota: Quota;
  readonly summary: boolean;
  readonly launcher: Launcher;
  readonly logs: LogKeeper;
  /** The absolute path of the config. */
  readonly file: string;
  /** The name that the command line gives to the system. */
  readonly name: string | undefined;
}

/** The grants that the config gives of the host. */
export function grantsOf(config: InitConfig, targets: GrantTargets): ResolvedGrant[] {
  return config.starts.flatMap(({ host }) => host).map((grant) => targets.resolve(grant));
}

/** Runs the system; settles with the exit code when everything of it is gone. */
export async function runSystem(options: RunOptions, output: Output): Promise<number> {
  const { platform } = options;
  const supervisor = new Supervisor(platform, {
    binary: initBinary(options.imports),
    findBinary: startable(options.binaries, options.imports),
    grants: grantsOf(options.config, options.targets),
    config: new TextEncoder().encode(JSON.stringify(toData(options.node))),
    quota: options.quota,
    observer: {
      crashed: (label, end) => {
        const how = end.culprit ? `crashed: ${end.reason}` : `is gone: ${end.reason}`;
        output.say(`[${label}] ${how}`);
        options.logs.keep(label, `ginit: ${how}`);
      },
      warning: (text) => output.say(`warning: ${text}`),
    },
  });
  const door = await openControlDoor(
    options.file,
    options.name,
    controlRequests({ supervisor, logs: options.logs }),
  );
  if ('refused' in door) {
    output.say(door.refused);
    await platform.destroy();
    return REFUSED_EXIT_CODE;
  }
  if ('lack' in door) output.say(`warning: ginit ps and its like will not find this system: ${door.lack}`);
  const control: ControlServer | undefined = 'server' in door ? door.server : undefined;
  const unlisten = endFromOutside(supervisor, output, options.launcher);
  const end = await supervisor.run();
  if (options.summary) for (const line of formatSummary(await supervisor.summary())) output.say(line);
  await supervisor.stop(longestBoundMs(options.config));
  await platform.destroy();
  unlisten();
  control?.close();
  return exitCode(end, supervisor.exitCode, output);
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
