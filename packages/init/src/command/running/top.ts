/** `ginit top`: what components do, and what they report, table after table. */
import { type ControlClient, systemTree } from '../control/index.ts';
import { machinesAnswer } from '../machine-requests.ts';
import type { Output } from '../output.ts';
import { interruption } from './interruption.ts';
import type { MachineLook } from './machine-tables.ts';
import type { RunningOptions } from './options.ts';
import { type ReportedStates, reportedLines, reportedStates, withReports } from './reported.ts';
import { activities, topLines } from './tables.ts';

const CLEAR = '\u001b[H\u001b[J';
/** The width of lines that nobody reads on a terminal. */
const WIDTH = 100;

interface Look {
  readonly tree: MachineLook;
  readonly states: ReportedStates;
}

async function look(client: ControlClient): Promise<Look> {
  const asked = ['tree', 'machines', 'reports'].map((what) => client.ask(what));
  const [tree, machines, reports] = await Promise.all(asked);
  return {
    tree: { ...systemTree(tree, 'tree'), ...machinesAnswer(machines, 'machines') },
    states: reportedStates(reports, performance.now()),
  };
}

/** Writes tables until there are enough of them, or nobody wants more. */
export async function top(
  { json, intervalMs, count }: RunningOptions,
  client: ControlClient,
  output: Output,
): Promise<number> {
  const stop = interruption();
  const onTerminal = !json && process.stdout.isTTY === true;
  let before = await look(client);
  for (let left = count ?? Number.POSITIVE_INFINITY; left > 0 && !stop.aborted && !output.loss; left--) {
    await pause(intervalMs, stop);
    const now = await look(client);
    const rows = activities(before.tree, now.tree);
    if (json) await output.text(JSON.stringify(withReports(rows, now.states)));
    else {
      const { columns: width = WIDTH, rows: height } = process.stdout;
      const lines = [...topLines(rows), ...reportedLines(before.states, now.states, width)];
      const shown = onTerminal ? lines.slice(0, (height ?? lines.length + 1) - 1) : [...lines, ''];
      await output.text(`${onTerminal ? CLEAR : ''}${shown.join('\n')}`);
    }
    before = now;
  }
  return 0;
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
