/** `ginit attach`: joins a system that runs elsewhere as one of its components. */
import { realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { BusProcess, NodeAgent, NodePlatform, type ResolvedBinary } from '@ginit/core/supervisor';
import { ComponentImports } from '../component-imports.ts';
import type { Launcher } from '../launcher.ts';
import type { Output } from '../output.ts';
import { totalmem } from 'node:os';
import {
  BUS_OPTIONS,
  BUS_OPTIONS_HELP,
  HEAD_NAME,
  keyNamed,
  type OnBus,
  ownFacts,
  readBusOptions,
} from './bus-options.ts';
import { untilEnded } from './until-ended.ts';

const USAGE_EXIT_CODE = 2;

/** The help text of `ginit attach`. */
export const ATTACH_HELP = `ginit attach: joins a running system as one of its components

  ginit attach --bus URL --cluster NAME --name NAME --key FILE [OPTIONS] COMPONENT.js

The system has <start name="NAME"> <attach key="U..."/> ... </start>, with the public half of the key. The component runs
here, with the quota and the routes of that start node, and nothing else. Runs until Ctrl-C, which detaches it; the start
node then waits for the next one. Only one at a time is attached: another one is told so, and waits.

  --name NAME     the name of the start node
${BUS_OPTIONS_HELP}
  --head NAME|KEY whose system it is (default: head, of the list of keys)

Exit code: 0; 1 if the machine cannot be on the bus; 2 if the command line, the key or the component is wrong.`;

interface AttachLine {
  readonly name: string;
  readonly onBus: OnBus;
  readonly head: string;
  readonly binary: ResolvedBinary;
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  ...BUS_OPTIONS,
  name: { type: 'string' },
  head: { type: 'string' },
} as const;

/** Runs the command with the arguments after `attach`; the result is its exit code. */
export async function attach(args: readonly string[], output: Output, launcher: Launcher): Promise<number> {
  const line = parseAttachLine(args);
  if (line === 'help') {
    await output.text(ATTACH_HELP);
    return 0;
  }
  if (typeof line === 'string') {
    output.say(`attach: ${line}`);
    output.say('try "ginit attach --help"');
    return USAGE_EXIT_CODE;
  }
  const { name, onBus, head, binary } = line;
  return untilEnded(output, launcher, (failed) => {
    const bus = new BusProcess(onBus.options, {
      connected: () => output.say(`attach: on the bus at ${onBus.options.servers.join(', ')}`),
      complaint: (text) => output.say(text),
      failed: (reason) => failed(`bus: ${reason}`),
    });
    const local = new NodePlatform({
      lines: (text, prefix) => output.lines(text, prefix),
      passingLine: (text, prefix) => agent.line(prefix.slice(1, -2), text),
      complaint: (text) => output.say(text),
    });
    local.useBus(bus);
    const offer = { name, facts: ownFacts(), ramBytes: totalmem(), cores: 1, labels: [], lends: [] };
    const agent: NodeAgent = new NodeAgent({
      line: bus,
      local,
      head,
      lends: [],
      cpus: undefined,
      offer,
      code: { binary, release: () => {} },
      observer: {
        taken: () => output.say(`attach: waits for the start node "${name}"`),
        lost: (reason) => output.say(`attach: not attached: ${reason}`),
        started: (label) => output.say(`attach: is [${label}] now`),
        ended: (label, { crashed, reason }) =>
          output.say(`attach: [${label}] has ended${crashed ? `: ${reason}` : ''}`),
      },
    });
    return async () => {
      await agent.stop();
      await local.destroy();
      await bus.destroy();
    };
  });
}

/** Reads the command line. A string as the result says what is wrong with it. */
function parseAttachLine(args: readonly string[]): AttachLine | 'help' | string {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    if (values.help) return 'help';
    const { name = '' } = values;
    const [file, extra] = positionals;
    if (name === '') return 'no --name given';
    if (file === undefined) return 'no component given';
    if (extra !== undefined) return `one component at a time, not also "${extra}"`;
    const onBus = readBusOptions(values, name, values.head === undefined);
    if (typeof onBus === 'string') return onBus;
    const head = keyNamed(values.head ?? HEAD_NAME, onBus.members);
    if (head === undefined) return `--head: the list of keys has no "${values.head ?? HEAD_NAME}"`;
    const binary = readBinary(file);
    return typeof binary === 'string' ? binary : { name, onBus, head, binary };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The component, checked by the one rule. */
function readBinary(file: string): ResolvedBinary | string {
  const path = resolve(file);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return `there is no file "${file}"`;
  const url = pathToFileURL(realpathSync.native(path)).href;
  const imports = new ComponentImports(dirname(path));
  const forbidden = imports.forbidden(url);
  if (!forbidden) return imports.binary(url);
  const { what, file: where, line, column } = forbidden;
  return `${file} ${what} at ${where}:${line}:${column}: a component reaches the world through env only`;
}
