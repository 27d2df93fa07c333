/** `reconfigure`: a change of one child's config among many, and the whole system started anew. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MEASURE = fileURLToPath(new URL('./measure.mjs', import.meta.url));

function contenders({ directory, places, quick }) {
  const [count, rounds] = quick ? [3, 1] : [100, 7];
  const file = join(directory, 'reconfigure.xml');
  const command = [process.execPath, MEASURE, file, String(count), String(rounds)];
  return [{ id: 'running', label: `ginit, ${count} children`, place: places.free ?? places.one, command }];
}

export const reconfigure = {
  name: 'reconfigure',
  title: 'a change of one child among 100 running ones, until the child has it',
  columns: {
    changeMs: 'its <config>, by SIGHUP, ms',
    watchedMs: 'by the file alone, ms',
    restartMs: 'its version, ms',
    warmChangeMs: 'its <config> again, ms',
    wholeMs: 'all stopped and started, ms',
  },
  contenders,
  figures: (median) => ({
    changeMs: median('running', 'changeMs'),
    /** With the quiet moment after which a written file counts. */
    watchedMs: median('running', 'watchedMs'),
    restartMs: median('running', 'restartMs'),
    /** After all of the changes above. */
    warmChangeMs: median('running', 'warmChangeMs'),
    wholeMs: median('running', 'wholeMs'),
  }),
  ratios: (median) => ({
    changeVsRestart: median('running', 'wholeMs') / median('running', 'changeMs'),
  }),
  aims: { changeVsRestart: 20 },
};
