/** The commands that look at a running system through its control socket, and act on it. */
import { writeFileSync } from 'node:fs';
import { isRecord, list, record, ShapeError, text } from '@ginit/core';
import { linesOf, visibleText } from '@ginit/core/system';
import { metricsText } from './metrics.ts';
import { nodesAnswer, nodesText } from './nodes.ts';
import {
  ControlClient,
  ControlError,
  findSystem,
  type FoundSystem,
  type SystemTree,
  systemTree,
} from '../control/index.ts';
import { machinesAnswer } from '../machine-requests.ts';
import type { Output } from '../output.ts';
import { attachConsole, ownTerminal } from './console.ts';
import { dotOf, mermaidOf } from './graph.ts';
import { EJECT, parseRunning, RUNNING_HELP, type RunningCommand, type RunningOptions } from './options.ts';
import { planBetween, planRunning } from './plan.ts';
import { interruption } from './interruption.ts';
import { machineLines } from './machine-tables.ts';
import { psLines } from './tables.ts';
import { top } from './top.ts';

const USAGE_EXIT_CODE = 2;
const FAILED_EXIT_CODE = 1;
/** How often a system is looked for that does not run yet. */
const LOOK_MS = 200;
const WORDS = 4096;

const incompleteAnswer = record({
  incomplete: list(record({ label: text(WORDS), reason: text(WORDS) }), 65_536),
});
const pictureAnswer = record({ content: text(2 ** 24) });
const logPiece = record({ label: text(WORDS), text: text(2 ** 24) });

/** Runs a command with the arguments behind its name; the result is its exit code. */
export async function runningCommand(
  command: RunningCommand,
  args: readonly string[],
  output: Output,
): Promise<number> {
  const options = parseRunning(command, args);
  if (options === 'help') {
    await output.text(RUNNING_HELP[command]);
    return 0;
  }
  if (typeof options === 'string') {
    output.say(options);
    output.say(`try "ginit help ${command}"`);
    return USAGE_EXIT_CODE;
  }
  const [old, next] = options.labels;
  if (command === 'plan' && old !== undefined && next !== undefined)
    return planBetween([old, next], options.json, output);
  const beganMs = performance.now();
  const found = command === 'wait' ? await awaited(options) : await findSystem(options.system);
  if ('problem' in found) {
    output.say(found.problem);
    return FAILED_EXIT_CODE;
  }
  try {
    return await perform(
      { ...options, timeoutMs: options.timeoutMs - (performance.now() - beganMs) },
      found.client,
      output,
    );
  } catch (error) {
    if (!(error instanceof ControlError || error instanceof ShapeError)) throw error;
    output.say(error.message);
    return FAILED_EXIT_CODE;
  } finally {
    found.client.close();
  }
}

/** A system that may yet be started. */
async function awaited({ system, timeoutMs }: RunningOptions): Promise<FoundSystem> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await findSystem(system);
    if (!('problem' in found) || found.absent !== true || performance.now() >= endMs) return found;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function perform(options: RunningOptions, client: ControlClient, output: Output): Promise<number> {
  const { command, json, labels } = options;
  const [label = ''] = labels;
  switch (command) {
    case 'ps':
      return show(json, output, await treeFrom(client), (tree) => psLines(tree).join('\n'));
    case 'nodes':
      return show(json, output, nodesAnswer(await client.ask('nodes'), 'nodes'), nodesText);
    case 'metrics':
      await output.text(metricsText(await treeFrom(client), client.greeting.system));
      return 0;
    case 'graph':
      return show(json, output, await treeFrom(client), options.mermaid ? mermaidOf : dotOf);
    case 'top':
      return top(options, client, output);
    case 'log':
      return log(options, client, output);
    case 'restart':
    case 'kill': {
      const done = await client.ask('act', { action: command, label });
      return show(json, output, done, () => undefined);
    }
    case 'report':
      return report(options, client, output);
    case 'console': {
      const { look, detachByte } = options;
      const asked = { label, look, detachByte, interrupted: interruption() };
      return attachConsole(asked, client, output, ownTerminal());
    }
    case 'vm':
      return machineCommand(options, client, output);
    case 'plan':
      return planRunning(client, label, json, output);
    case 'wait':
      return wait(options, client, output);
  }
}

async function machineCommand(
  { json, labels }: RunningOptions,
  client: ControlClient,
  output: Output,
): Promise<number> {
  const [action = '', label = '', ...more] = labels;
  if (action === 'screen') return machineScreen(client, label, more[0] ?? '', output);
  if (action !== 'list') {
    // A drive without a file is emptied.
    const words = action === 'media' && more.at(-1) === EJECT ? more.slice(0, -1) : more;
    return show(json, output, await client.ask('machine', { action, label, words }), () => undefined);
  }
  return show(json, output, machinesAnswer(await client.ask('machines'), 'machines'), ({ machines }) =>
    machineLines(machines).join('\n'),
  );
}

/** Writes what the screen of a machine shows to a file. */
async function machineScreen(
  client: ControlClient,
  label: string,
  file: string,
  output: Output,
): Promise<number> {
  const { content } = pictureAnswer(await client.ask('machine', { action: 'screen', label }), 'machine');
  try {
    writeFileSync(file, Buffer.from(content, 'base64'));
    return 0;
  } catch (error) {
    output.say(`${file} cannot be written: ${error instanceof Error ? error.message : error}`);
    return FAILED_EXIT_CODE;
  }
}

async function treeFrom(client: ControlClient): Promise<SystemTree> {
  return systemTree(await client.ask('tree'), 'tree');
}

/** Writes an answer as JSON, or as the text that is made of it. */
async function show<T>(
  json: boolean,
  output: Output,
  answer: T,
  textOf: (answer: T) => string | undefined,
): Promise<number> {
  const shown = json ? JSON.stringify(answer) : textOf(answer);
  if (shown !== undefined) await output.text(shown);
  return 0;
}

async function log(
  { json, labels: [label = ''], follow }: RunningOptions,
  client: ControlClient,
  output: Output,
): Promise<number> {
  const stop = new AbortController();
  const interrupted = interruption();
  interrupted.addEventListener('abort', () => stop.abort());
  output.onLoss(() => stop.abort());
  const item = async (piece: unknown): Promise<void> => {
    if (isRecord(piece) && typeof piece['lost'] === 'number') {
      output.say(
        `${piece['lost']} pieces of the log were lost: they came faster than this command took them`,
      );
      return;
    }
    const { label: writer, text: lines } = logPiece(piece, 'log');
    if (json) {
      for (const line of linesOf(lines)) await output.text(JSON.stringify({ label: writer, line }));
    } else await output.lines(lines, `[${writer}] `);
  };
  const asking = client.ask(
    'log',
    { label, ...(follow ? { follow: 'yes' } : {}) },
    { item, signal: stop.signal },
  );
  try {
    await asking;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return 0;
}

async function report(
  { json, labels: [label = ''] }: RunningOptions,
  client: ControlClient,
  output: Output,
): Promise<number> {
  const answer = await client.ask('report', { label });
  const reports = reportAnswer(answer, 'report').reports;
  if (json) return show(true, output, reports, () => '');
  for (const { label: of, content } of reports) {
    if (reports.length > 1) await output.text(`# ${visibleText(of)}`);
    for (const line of linesOf(content)) await output.text(visibleText(line));
  }
  return 0;
}

const reportAnswer = record({
  reports: list(record({ label: text(WORDS), content: text(2 ** 24) }), 65_536),
});

async function wait(
  { json, labels, timeoutMs }: RunningOptions,
  client: ControlClient,
  output: Output,
): Promise<number> {
  const asked = { labels, timeoutMs: Math.max(0, Math.floor(timeoutMs)) };
  const answer = incompleteAnswer(await client.ask('wait', asked), 'wait');
  if (json) await output.text(JSON.stringify(answer.incomplete));
  else for (const { label, reason } of answer.incomplete) output.say(`[${label}] ${reason}`);
  return answer.incomplete.length === 0 ? 0 : FAILED_EXIT_CODE;
}
