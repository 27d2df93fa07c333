/** The ginit command. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseBytes } from '@ginit/core/config';
import { NodePlatform, withoutJails } from '@ginit/core/supervisor';
import type { Quota } from '../model/index.ts';
import { processesAhead } from './ahead.ts';
import { BUS_OPTIONS, HEAD_NAME, type OnBus, readBusOptions } from './cluster/bus-options.ts';
import { Head, needsCluster } from './cluster/head.ts';
import { readCheckedConfig } from './checked-config.ts';
import { type ComponentHelp, componentHelp } from './component-help.ts';
import { Launcher } from './launcher.ts';
import { freeOfErrors } from './live-config.ts';
import { keptOutput, LogKeeper } from './log-keeper.ts';
import { Output } from './output.ts';
import { defaultQuota, ROOT_CAPS } from './root-quota.ts';
import { runningCommand } from './running/main.ts';
import { RUNNING_COMMANDS, RUNNING_HELP } from './running/options.ts';
import { runSystem } from './run.ts';
import { schema } from './schema/main.ts';
import { STOCK_NAMES } from './stock.ts';
import { systemNameProblem } from './control/index.ts';
import { convert } from './text/convert.ts';
import { format } from './text/format.ts';

const USAGE_EXIT_CODE = 2;
const OUTPUT_LOST_EXIT_CODE = 1;

const HELP = `ginit: runs a system of components from one config file

  ginit [OPTIONS] CONFIG.xml        run the system until a child's exit, or Ctrl-C, ends it
  ginit dev [OPTIONS] CONFIG.xml    the same, and components whose files have changed are started again
  ginit check [OPTIONS] CONFIG.xml  only check the config: form, routes, host grants, quotas
  ginit sim [OPTIONS] CONFIG.xml    run it in one thread, on a virtual clock, in an order by a seed (ginit sim --help)
  ginit convert IN [OUT]            write a config as HID, or as XML; --help says more, also of the next two
  ginit format [-i] FILE...         lay out HID
  ginit image COMMAND ...           disk images: info, check, create, convert, resize, compact, snapshot (--help says more)
  ginit fs COMMAND ...              file systems in images: ls, tree, cat, cp, mkdir, rm, stat, df, check, mkfs (likewise)
  ginit mount IMAGE[:PART] DIR      the file system in an image, at a directory of the host (--help says more)
  ginit schema [FILE]               an XML Schema of configs, for editors
  ginit guests [fetch NAME]         lists unmodified systems for virtual machines, and prepares them
  ginit key new | show FILE         the keys of machines that are joined over a bus
  ginit bus config | start ...      the nats-server that joins them: its configuration; runs one (--help says more)
  ginit help COMPONENT              what a component provides, needs, and understands in its <config>
  ginit help COMMAND                the options of one of these commands
  ginit help | --help               this text
  ginit --version                   the version

  ginit ps | top | graph            the components of a running system; what they do; who has sessions with whom
  ginit log [-f] LABEL              the last lines of a component; with -f also what comes
  ginit restart | kill LABEL        starts a component again; ends it at once
  ginit report LABEL                the last report of a component
  ginit console LABEL               attaches your terminal to that of a component
  ginit vm list | pause | ... LABEL the virtual machines, and what is to be done with one
  ginit trace [LABEL...]            what passes in components: calls, signals, packets; as text or a picture
  ginit metrics                     what top shows, for OpenMetrics
  ginit wait [LABEL...]             until the system, or these components, are complete
  ginit plan [OLD] NEW              what a config would change in a running system, or in the place of another

  ginit node --bus URL ...          lends this machine to a cluster (--help says more)
  ginit attach --bus URL ... FILE   joins a system that runs elsewhere as one of its components (--help says more)
  ginit nodes                       the machines of a running system's cluster

  --system NAME its name for the commands above (default: that of the config)
  --ram SIZE    RAM quota of the whole system, for example 2G (default: half of the machine's memory)
  --jail=audit  run whoever would be jailed without, and list at its end which <host> grants it would take
  --bus URL, --cluster NAME, --keys FILE, --key FILE
                the head of a cluster, whose components may run on other machines (docs/cluster.md; all its options:
                ginit node --help)
  --summary     at the end, list the components: where each ran, RAM and heap used, requests served

A config is XML or, if it does not begin with "<", HID (docs/hid.md).
Components write to standard output, each line as "[init -> child] text"; ginit itself writes to standard error.
Exit code: that of the child with <exit propagate="yes"/>; 0 after Ctrl-C, or when nobody reads the output any more; 1 if
that child, or init, crashed, or the output cannot be written; 2 if the config or the command line is wrong, before anything
is started. A second Ctrl-C ends everything at once.

Stock components: ${STOCK_NAMES.join(', ')}`;

interface CommandLine {
  readonly command: 'run' | 'dev' | 'check' | 'help' | 'version';
  /** The config file; for `help`, the component. */
  readonly file: string;
  readonly quota: Quota;
  readonly summary: boolean;
  /** Whether jails are audited. */
  readonly audit: boolean;
  /** The name that the system is given. */
  readonly system: string | undefined;
  /** The bus of the cluster that it is the head of. */
  readonly onBus: OnBus | undefined;
}

/** Reads the command line. A string as the result says what is wrong with it. */
function parseCommandLine(args: readonly string[]): CommandLine | string {
  const options = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
    summary: { type: 'boolean' },
    ram: { type: 'string' },
    jail: { type: 'string' },
    system: { type: 'string' },
    ...BUS_OPTIONS,
  } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const ram = values.ram === undefined ? defaultQuota().ram : parseBytes(values.ram);
    if (ram === undefined) return `--ram ${values.ram}: not a size (for example 512M or 2G)`;
    if (values.jail !== undefined && values.jail !== 'audit')
      return `--jail=${values.jail}: only audit (attributes jail= in the config say who is jailed)`;
    const named = values.system === undefined ? undefined : systemNameProblem(values.system);
    if (named !== undefined) return `--system ${JSON.stringify(values.system)}: ${named}`;
    const onBus = values.bus === undefined ? undefined : readBusOptions(values, HEAD_NAME, true);
    if (typeof onBus === 'string') return onBus;
    const idle = Object.keys(BUS_OPTIONS).find((name) => Reflect.get(values, name) !== undefined);
    if (!onBus && idle !== undefined) return `--${idle} means nothing without --bus`;
    const rest = {
      onBus,
      system: values.system,
      quota: { ram, caps: ROOT_CAPS },
      summary: values.summary ?? false,
      audit: values.jail !== undefined,
    };
    if (values.help || positionals[0] === 'help')
      return { command: 'help', file: positionals[1] ?? '', ...rest };
    if (values.version) return { command: 'version', file: '', ...rest };
    const [first] = positionals;
    const command = positionals.length > 1 && (first === 'check' || first === 'dev') ? first : 'run';
    const files = command === 'run' ? positionals : positionals.slice(1);
    const [file, extra] = files;
    if (file === undefined) return 'no config file given';
    if (extra !== undefined) return `one config file at a time, not also "${extra}"`;
    return { command, file, ...rest };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}

async function checkOrRun(line: CommandLine, output: Output, launcher: Launcher): Promise<number> {
  const { file, quota } = line;
  const logs = new LogKeeper();
  const platform = new NodePlatform(keptOutput(output, logs), { audit: line.audit });
  const checked = await readCheckedConfig(file, quota, (readable) => {
    if (line.command !== 'check') platform.startAhead(processesAhead(readable));
  });
  for (const text of [...checked.warnings, ...checked.errors]) output.plain(text);
  if (checked.lack !== undefined) platform.tellLack(checked.lack);
  const sound = freeOfErrors(checked);
  if (!sound) {
    await platform.destroy();
    return USAGE_EXIT_CODE;
  }
  if (line.command === 'check') {
    output.say(`${file}: ${sound.config.starts.length} start nodes, no errors`);
    return 0;
  }
  const elsewhere = needsCluster(sound.config);
  if (elsewhere !== undefined && !line.onBus) {
    output.say(
      `${file}: "${elsewhere}" is to run on another machine: --bus and --cluster say of which cluster`,
    );
    await platform.destroy();
    return USAGE_EXIT_CODE;
  }
  const head = line.onBus && new Head(platform, line.onBus, quota, output);
  const summary = line.summary || sound.config.summary;
  const dev = line.command === 'dev';
  const parts = {
    platform,
    checked: sound,
    quota,
    summary,
    launcher,
    logs,
    file,
    dev,
    name: line.system,
    head,
  };
  return runSystem(parts, output);
}

async function help(component: string, output: Output): Promise<number> {
  const command = RUNNING_COMMANDS.find((known) => known === component);
  const known = component === '' ? HELP : command && RUNNING_HELP[command];
  const answer: ComponentHelp = known === undefined ? await componentHelp(component) : { text: known };
  if (answer.lack !== undefined) output.complaint(withoutJails(answer.lack));
  if ('problem' in answer) {
    output.say(answer.problem);
    return USAGE_EXIT_CODE;
  }
  await output.text(answer.text);
  return 0;
}

/** Runs the command; the result is its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const launcher = new Launcher();
  const output = Output.ofProcess();
  const code = await perform(args, output, launcher);
  const allWritten = await output.end();
  output.closeLostTerminal();
  // The process ends by itself when everything is written. If it has been told to end, it does not
  // wait for a reader.
  if (!allWritten) process.exit(code);
  return code === 0 && output.loss?.kind === 'failed' ? OUTPUT_LOST_EXIT_CODE : code;
}

/** A system that is run without any options. */
const PLAIN_RUN = {
  command: 'run',
  summary: false,
  audit: false,
  system: undefined,
  onBus: undefined,
} as const;

/** A command with options and a help of its own. */
type Command = (args: readonly string[], output: Output, launcher: Launcher) => number | Promise<number>;

/** Those that do not ask a running system; what few people need is loaded with its command. */
const COMMANDS = new Map<string, Command>([
  ['convert', convert],
  ['format', format],
  ['schema', (args, output) => schema(args, version(), output)],
  ['guests', async (args, output) => (await import('./guests/main.ts')).guests(args, output)],
  ['key', async (args, output) => (await import('./bus/key-command.ts')).key(args, output)],
  ['bus', async (args, output) => (await import('./bus/main.ts')).bus(args, output)],
  ['image', async (args, output) => (await import('./image/main.ts')).image(args, output)],
  [
    'mount',
    async (args, output, launcher) =>
      (await import('./mount/main.ts')).mount(args, output, (file) =>
        checkOrRun(
          { ...PLAIN_RUN, file, quota: { ram: defaultQuota().ram, caps: ROOT_CAPS } },
          output,
          launcher,
        ),
      ),
  ],
  ['fs', async (args, output) => (await import('./fs/main.ts')).fs(args, output)],
  ['trace', async (args, output) => (await import('./trace/main.ts')).trace(args, output)],
  ['sim', async (args, output) => (await import('./sim/main.ts')).simulate(args, output)],
  [
    'node',
    async (args, output, launcher) =>
      (await import('./cluster/node-command.ts')).node(args, output, launcher),
  ],
  [
    'attach',
    async (args, output, launcher) =>
      (await import('./cluster/attach-command.ts')).attach(args, output, launcher),
  ],
]);
/** Their help is that of ginit itself. */
const PLAIN_COMMANDS = ['check', 'dev', 'help'];

async function perform(args: readonly string[], output: Output, launcher: Launcher): Promise<number> {
  const [first = '', ...others] = args;
  const command = COMMANDS.get(first);
  if (command) return command(others, output, launcher);
  const [explained = ''] = first === 'help' ? others : [];
  const asked = COMMANDS.get(explained);
  if (asked) return asked(['--help'], output, launcher);
  if (PLAIN_COMMANDS.includes(explained)) return help('', output);
  const running = RUNNING_COMMANDS.find((known) => known === first);
  if (running) return runningCommand(running, args.slice(1), output);
  const line = parseCommandLine(args);
  if (typeof line === 'string') {
    output.say(line);
    output.say('try "ginit help"');
    return USAGE_EXIT_CODE;
  }
  switch (line.command) {
    case 'help':
      return help(line.file, output);
    case 'version':
      await output.line(`ginit ${version()}`);
      return 0;
    case 'check':
    case 'dev':
    case 'run':
      return checkOrRun(line, output, launcher);
  }
}
