/** The faults that a failing seed needs, in words. */
import type { Shrunk, StruckFault } from '@ginit/simulator';
import type { Output } from '../output.ts';

/** The option by which a run has these faults and no others. */
export function onlyOption(faults: readonly StruckFault[]): string {
  return `--only-faults ${faults.length === 0 ? 'none' : faults.map(({ number }) => number).join()}`;
}

/** Reports the result of shrinking. */
export function sayShrunk({ verdict, runs, minimal }: Shrunk, total: number, output: Output): void {
  const { struck } = verdict;
  const many = runs === 1 ? '1 run' : `${runs} runs`;
  if (struck.length === 0) return output.say(`sim: it fails without any of its ${total} faults (${many})`);
  const left = minimal ? 'none of which can be left out' : 'perhaps more than it needs: no more runs';
  output.say(`sim: it fails with ${struck.length} of its ${total} faults, ${left} (${many}):`);
  for (const { number, afterTasks, text } of struck) {
    output.say(`sim:   before task #${afterTasks + 1}: fault ${number}: ${text}`);
  }
}
