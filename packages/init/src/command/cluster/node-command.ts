/** `ginit node`: lends this machine to a cluster. */
import { availableParallelism, homedir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '@ginit/core/config';
import { BusProcess, NodeAgent, NodePlatform, type ResolvedGrant } from '@ginit/core/supervisor';
import { isNodeLabel, isNodeName } from '../../model/index.ts';
import { CodeCache } from './code-cache.ts';
import type { Launcher } from '../launcher.ts';
import type { Output } from '../output.ts';
import {
  BUS_OPTIONS,
  BUS_OPTIONS_HELP,
  HEAD_NAME,
  keyNamed,
  type OnBus,
  ownFacts,
  readBusOptions,
} from './bus-options.ts';
import { readLending } from './lend.ts';
import { untilEnded } from './until-ended.ts';

const USAGE_EXIT_CODE = 2;

/** The help text of `ginit node`. */
export const NODE_HELP = `ginit node: lends this machine to a cluster

  ginit node --bus URL --cluster NAME --name NAME [OPTIONS]

Runs until Ctrl-C. Components whose start nodes say node="NAME" run here, each in a process of its own and in a jail; their
code comes from the head of the cluster. It may be started before the head, and before the nats-server.

  --name NAME     the name of the node, as in the list of keys
${BUS_OPTIONS_HELP}
  --head NAME|KEY whose components run here (default: head, of the list of keys)
  --ram SIZE      RAM quota that is lent (default: half of the machine's memory)
  --cores N       CPUs that are lent (default: all)
  --label LABEL   for <node label="..."/>: a word, or KEY=VALUE; may be given again
  --lend FILE     a <host>...</host> as in start nodes: what components here may be granted (default: nothing)
  --cache DIR     where code is kept (default: ~/.cache/ginit/code)

Exit code: 0; 1 if the machine cannot be on the bus; 2 if the command line, a key or the list is wrong.`;

interface NodeLine {
  readonly name: string;
  readonly onBus: OnBus;
  readonly head: string;
  readonly ramBytes: number;
  readonly cores: number;
  readonly labels: readonly string[];
  readonly lends: readonly ResolvedGrant[];
  readonly cache: string;
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  ...BUS_OPTIONS,
  name: { type: 'string' },
  head: { type: 'string' },
  ram: { type: 'string' },
  cores: { type: 'string' },
  label: { type: 'string', multiple: true },
  lend: { type: 'string' },
  cache: { type: 'string' },
} as const;

/** Runs the command with the arguments after `node`; the result is its exit code. */
export async function node(args: readonly string[], output: Output, launcher: Launcher): Promise<number> {
  const line = parseNodeLine(args);
  if (line === 'help') {
    await output.text(NODE_HELP);
    return 0;
  }
  if (Array.isArray(line)) {
    for (const problem of line) output.say(`node: ${problem}`);
    output.say('try "ginit node --help"');
    return USAGE_EXIT_CODE;
  }
  return run(line as NodeLine, output, launcher);
}

async function run(line: NodeLine, output: Output, launcher: Launcher): Promise<number> {
  const { name, onBus, head, ramBytes, cores, labels, lends, cache } = line;
  return untilEnded(output, launcher, (failed) => {
    const bus = new BusProcess(onBus.options, {
      connected: () => output.say(`node "${name}": on the bus at ${onBus.options.servers.join(', ')}`),
      complaint: (text) => output.say(text),
      failed: (reason) => failed(`bus: ${reason}`),
    });
    const local = new NodePlatform({
      lines: (text, prefix) => output.lines(text, prefix),
      passingLine: (text, prefix) => agent.line(prefix.slice(1, -2), text),
      complaint: (text) => output.say(text),
    });
    local.useBus(bus);
    const all = availableParallelism();
    const agent: NodeAgent = new NodeAgent({
      line: bus,
      local,
      head,
      lends,
      cpus:
        cores < all
          ? { xpos: 0, ypos: 0, width: cores, height: 1, spaceWidth: all, spaceHeight: 1 }
          : undefined,
      offer: {
        name,
        facts: ownFacts(),
        ramBytes,
        cores,
        labels: [...labels],
        lends: lends.map(({ kind, path, access }) => ({ kind, path, access })),
      },
      code: new CodeCache(cache),
      observer: {
        taken: () => output.say(`node "${name}": lends ${cores} CPUs and ${formatBytes(ramBytes)} of RAM`),
        lost: (reason) => output.say(`node "${name}": the head is not there: ${reason}`),
        started: (label) => output.say(`[${label}] runs here`),
        ended: (label, { crashed, reason }) =>
          output.say(`[${label}] has ended${crashed ? `: ${reason}` : ''}`),
      },
    });
    return async () => {
      await agent.stop();
      await local.destroy();
      await bus.destroy();
    };
  });
}

/** Reads the command line. A list as the result says what is wrong with it. */
function parseNodeLine(args: readonly string[]): NodeLine | 'help' | string[] {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    if (values.help) return 'help';
    const { name = '', label: labels = [], lend } = values;
    if (name === '') return ['no --name given'];
    if (!isNodeName(name))
      return [`--name ${name}: up to 64 letters, digits, ".", "_" and "-", and not "any"`];
    const wrong = labels.find((label) => !isNodeLabel(label));
    if (wrong !== undefined) return [`--label ${wrong}: not a word or KEY=VALUE`];
    const ramBytes = values.ram === undefined ? Math.floor(totalmem() / 2) : parseBytes(values.ram);
    if (ramBytes === undefined) return [`--ram ${values.ram}: not a size (for example 512M or 2G)`];
    const cores = Number(values.cores ?? availableParallelism());
    if (!Number.isInteger(cores) || cores < 1 || cores > availableParallelism())
      return [`--cores ${values.cores}: from 1 to ${availableParallelism()}, which this machine has`];
    const onBus = readBusOptions(values, name, true);
    if (typeof onBus === 'string') return [onBus];
    const own = onBus.members.find((member) => member.name === name);
    if (own && own.key !== onBus.publicKey) return [`--key: the key of "${name}" in the list is another one`];
    const head = keyNamed(values.head ?? HEAD_NAME, onBus.members);
    if (head === undefined) return [`--head: the list of keys has no "${values.head ?? HEAD_NAME}"`];
    const lending = lend === undefined ? { lends: [] } : readLending(lend);
    if ('problems' in lending) return [...lending.problems];
    const cache = values.cache ?? join(homedir(), '.cache', 'ginit', 'code');
    return { name, onBus, head, ramBytes, cores, labels, lends: lending.lends, cache };
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
