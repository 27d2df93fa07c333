/** The command lines of the commands that look at a running system, and their help. */
import { parseArgs } from 'node:util';
import { MACHINE_ACTIONS, MACHINE_DRIVES } from '@ginit/core/machine';
import { controlByte } from './console.ts';

/** A command on a running system. */
export const RUNNING_COMMANDS = [
  'ps',
  'top',
  'graph',
  'log',
  'restart',
  'kill',
  'report',
  'console',
  'vm',
  'wait',
  'plan',
  'nodes',
  'metrics',
] as const;
/** One of `RUNNING_COMMANDS`. */
export type RunningCommand = (typeof RUNNING_COMMANDS)[number];

/** The command line of one of them. */
export interface RunningOptions {
  readonly command: RunningCommand;
  /** The name of the system; without one there must be only one. */
  readonly system: string | undefined;
  readonly json: boolean;
  readonly labels: readonly string[];
  readonly follow: boolean;
  /** Whether `console` types nothing. */
  readonly look: boolean;
  /** The byte that ends `console`; `undefined` if no key does. */
  readonly detachByte: number | undefined;
  readonly mermaid: boolean;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  /** How many tables `top` shows; `undefined` goes on until it is interrupted. */
  readonly count: number | undefined;
}

const COMMON = `  --system NAME   the system, if several run (the name of its config, or that given to it by --system)
  --json          one line of JSON instead of text`;

const LABELS = `LABEL is a whole label ("init -> fs"), one without "init", or the end of one if that fits a single component.`;

/** The help of each command. */
export const RUNNING_HELP: Readonly<Record<RunningCommand, string>> = {
  ps: `ginit ps: the components of a running system

  ginit ps [OPTIONS]

The tree of components, each with: its state; where it runs (process and thread); RAM and capabilities in use of its
quota; how often it was started again; and why it does not get on, if it does not.

${COMMON}`,
  nodes: `ginit nodes: the machines of a running system's cluster

  ginit nodes [OPTIONS]

Each node of the list of keys: whether it is there; what it lends and how much of that is used; how many components run
there; its labels; and versions and platform.

${COMMON}`,
  top: `ginit top: what the components of a running system do

  ginit top [OPTIONS]

On a terminal one table is drawn again and again, the busiest component first; elsewhere one table follows the other.
CPU is the time of the component's own thread (threads of V8 that collect garbage or compile are not part of it);
columns that the host cannot tell are left out. Below stands what components report, as far as their Report sessions are
routed to ginit: attributes, and by how much each whole number has changed per second.

  --interval TIME between two tables (default 2s)
  --count N       end after so many tables
${COMMON}`,
  graph: `ginit graph: who has sessions with whom in a running system, for Graphviz or Mermaid

  ginit graph [OPTIONS]

  --mermaid       Mermaid's language instead of DOT
${COMMON}`,
  metrics: `ginit metrics: what "ginit top" shows, and quotas, in the text format of OpenMetrics

  ginit metrics [OPTIONS]

For the text file collector of a node exporter, or a small HTTP server: ginit serves none itself.

  --system NAME   the system, if several run (the name of its config, or that given to it by --system)`,
  log: `ginit log: the last lines of a component and of the components below it

  ginit log [OPTIONS] LABEL

ginit keeps the last 64 KiB of each component's log in memory, also after its death.

  -f, --follow    go on with what comes, through restarts; waits for a component that is not there yet
${COMMON}

${LABELS}`,
  restart: `ginit restart: starts a component again

  ginit restart [OPTIONS] LABEL

It is stopped in order and started anew; one that is down is started, and its restarts are counted from zero.

${COMMON}

${LABELS}`,
  kill: `ginit kill: ends a component at once, as if it had crashed

  ginit kill [OPTIONS] LABEL

Its clients get PeerGone. Whether it is started again is up to its start node.

${COMMON}

${LABELS}`,
  report: `ginit report: the last report of a component

  ginit report [OPTIONS] LABEL

LABEL is that of a Report session ("init -> fs -> state") or of a component, whose reports are shown then. ginit knows
the reports that are routed to it: <service name="Report"> <parent/> </service>.

${COMMON}`,
  console: `ginit console: attaches your terminal to that of a component

  ginit console [OPTIONS] LABEL

LABEL is that of a Terminal session ("init -> vmm -> serial") or of a component that has one. ginit knows the terminals
that are routed to it: <service name="Terminal"> <parent/> </service>. What was written before comes first, as far as it
is kept. Every key goes to the component, Ctrl-C too, except the one that detaches; the component sees the size of your
window, or that of the smallest if several look. Without a terminal, standard input is passed on to its end, and the
command goes on showing output until the terminal is closed or Ctrl-C ends it.

  --look            only look: nothing is typed, and your window does not count
  --detach-key KEY  ctrl-] unless told, ctrl-A and the like, or none
  --system NAME     the system, if several run (the name of its config, or that given to it by --system)`,
  vm: `ginit vm: the virtual machines of a running system

  ginit vm list [OPTIONS]           how each is, and what it has done
  ginit vm pause LABEL              its processor stands still
  ginit vm resume LABEL             it goes on; requests of disks that failed are tried again
  ginit vm reset LABEL              it starts anew, as by its reset button; what is not synchronised is lost
  ginit vm poweroff LABEL           presses its power button once; the guest decides what that means
  ginit vm screen LABEL FILE.png    what its screen shows, as a picture
  ginit vm type LABEL TEXT          types a text on its keyboard, as on a US keyboard
  ginit vm key LABEL KEY...         presses keys, one after the other: enter, f1, ctrl-alt-delete, shift-a and so on
  ginit vm save LABEL               keeps its state in the file of its <state>; it is paused afterwards
  ginit vm restore LABEL            it goes on from there; what it has done since is lost
  ginit vm media LABEL cdrom|floppy FILE|eject
                                    changes what lies in its drive: FILE is of its File_system session "files"

LABEL is that of the component vmm. ginit knows the machines whose Machine session is routed to it: <control/> in the
config of vmm, and <service name="Machine"> <parent/> </service>. Screen and keyboard need <display/>.

${COMMON}`,
  wait: `ginit wait: waits until a system is complete

  ginit wait [OPTIONS] [LABEL...]

Exit code 0 when each component that is named (without names: every one) runs or has exited with 0; 1 when the time is
over, with the reason of each that does not. Waits for the system itself, too.

  --timeout TIME  how long (default 30s)
${COMMON}

${LABELS}`,
  plan: `ginit plan: what a new config would change

  ginit plan [OPTIONS] NEW.xml
  ginit plan [OPTIONS] OLD.xml NEW.xml

The first form asks the running system, which has the config checked as if it were its own, and changes nothing. The
second compares two configs: children of OLD are taken to run as it says, with the sessions that they cannot do without.
Exit code: 0; 2 if a config is wrong, which is said as by "ginit check". Of a nested init it is said that its config
changes, not what that changes below.

${COMMON}`,
};

/** The word that empties a drive. */
export const EJECT = 'eject';

/** Options that one command has, and that command. */
const ONLY_OF: Readonly<Record<string, RunningCommand>> = {
  follow: 'log',
  look: 'console',
  'detach-key': 'console',
  mermaid: 'graph',
  timeout: 'wait',
  interval: 'top',
  count: 'top',
};
const DEFAULT_DETACH_KEY = 'ctrl-]';
const NO_KEY = 'none';
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_INTERVAL_MS = 2000;
const INTERVAL_MS_MIN = 100;
const TIME_MS_MAX = 2 ** 31 - 1;

/** A length of time such as `30s`, `500ms`, `2m` or `1h`, in milliseconds. */
export function parseTime(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (!match) return undefined;
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
  const unit = match[2];
  const factor = unit === 'ms' || unit === 'm' || unit === 'h' ? units[unit] : units.s;
  const ms = Math.round(Number(match[1]) * factor);
  return ms <= TIME_MS_MAX ? ms : undefined;
}

/** Reads the arguments behind the name of the command. A string says what is wrong with them. */
export function parseRunning(
  command: RunningCommand,
  args: readonly string[],
): RunningOptions | 'help' | string {
  const options = {
    help: { type: 'boolean', short: 'h' },
    system: { type: 'string' },
    json: { type: 'boolean' },
    follow: { type: 'boolean', short: 'f' },
    look: { type: 'boolean' },
    'detach-key': { type: 'string' },
    mermaid: { type: 'boolean' },
    timeout: { type: 'string' },
    interval: { type: 'string' },
    count: { type: 'string' },
  } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (values.help === true) return 'help';
    const foreign = Object.entries(ONLY_OF).find(
      ([name, of]) => Object.hasOwn(values, name) && of !== command,
    );
    if (foreign) return `ginit ${command} has no option --${foreign[0]}`;
    const timeoutMs = timeOf(values.timeout, DEFAULT_TIMEOUT_MS);
    if (timeoutMs === undefined)
      return `--timeout ${values.timeout}: not a time (for example 30s, 500ms or 2m)`;
    const intervalMs = timeOf(values.interval, DEFAULT_INTERVAL_MS);
    if (intervalMs === undefined || intervalMs < INTERVAL_MS_MIN)
      return `--interval ${values.interval}: not a time of ${INTERVAL_MS_MIN}ms or more (for example 2s)`;
    const count = values.count === undefined ? undefined : Number(values.count);
    if (count !== undefined && (!Number.isSafeInteger(count) || count < 1))
      return `--count ${values.count}: not a number of 1 or more`;
    const { 'detach-key': detachKey = DEFAULT_DETACH_KEY } = values;
    const detachByte = detachKey === NO_KEY ? undefined : controlByte(detachKey);
    if (detachByte === undefined && detachKey !== NO_KEY)
      return `--detach-key ${detachKey}: not a key such as ctrl-] or ctrl-A, and not none`;
    if (command === 'console' && values.json === true) return 'ginit console has no option --json';
    const wrong = wrongLabels(command, positionals);
    if (wrong !== undefined) return wrong;
    return {
      command,
      system: values.system,
      json: values.json ?? false,
      labels: positionals,
      follow: values.follow ?? false,
      look: values.look ?? false,
      detachByte,
      mermaid: values.mermaid ?? false,
      timeoutMs,
      intervalMs,
      count,
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function timeOf(text: string | undefined, fallback: number): number | undefined {
  return text === undefined ? fallback : parseTime(text);
}

function wrongLabels(command: RunningCommand, labels: readonly string[]): string | undefined {
  switch (command) {
    case 'ps':
    case 'top':
    case 'graph':
    case 'nodes':
    case 'metrics':
      return labels[0] === undefined ? undefined : `ginit ${command} takes no "${labels[0]}"`;
    case 'log':
    case 'restart':
    case 'kill':
    case 'report':
    case 'console':
      return labels.length === 1 ? undefined : `ginit ${command} takes one label (in quotes: "init -> fs")`;
    case 'vm':
      return wrongMachineWords(labels);
    case 'wait':
      return undefined;
    case 'plan':
      return labels.length === 1 || labels.length === 2 ? undefined : 'ginit plan takes one config, or two';
  }
}

function wrongMachineWords([action, label, ...words]: readonly string[]): string | undefined {
  const actions = ['list', ...MACHINE_ACTIONS];
  if (action === undefined || !actions.includes(action)) return `ginit vm takes one of ${actions.join(', ')}`;
  if (action === 'list') return label === undefined ? undefined : `ginit vm list takes no "${label}"`;
  if (action === 'media') {
    const isDrive = MACHINE_DRIVES.some((drive) => drive === words[0]);
    if (label !== undefined && isDrive && words.length === 2) return undefined;
    return `ginit vm media takes a label, ${MACHINE_DRIVES.join(' or ')}, and a file or ${EJECT}`;
  }
  const wanted = WORDS_OF[action];
  if (wanted) {
    const isRight = label !== undefined && words.length >= 1 && words.length <= wanted.most;
    return isRight
      ? undefined
      : `ginit vm ${action} takes a label (in quotes: "init -> vmm") and ${wanted.what}`;
  }
  if (label === undefined || words.length > 0)
    return `ginit vm ${action} takes one label (in quotes: "init -> vmm")`;
  return undefined;
}

/** What follows the label, of the actions that take more than that. */
const WORDS_OF: Readonly<Record<string, { readonly what: string; readonly most: number }>> = {
  screen: { what: 'the name of a file', most: 1 },
  type: { what: 'a text, in quotes', most: 1 },
  key: { what: 'one to eight keys', most: 8 },
};
