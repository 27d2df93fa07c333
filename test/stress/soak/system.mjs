/** One run of ginit with the chains, in a process group of its own, and what its soakers have said. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { processesOf } from '../watch/processes.mjs';

const GINIT = fileURLToPath(new URL('../../../packages/init/bin/ginit.js', import.meta.url));
const TALLY = /^\[init -> soak-(\w+)\] (\{.*\})$/;
/** Lines that only a fault writes. */
const COMPLAINT = /crashed|Error|assertion failed|^ginit: /;
const LINES_KEPT = 40;

export function startGinit(directory, config) {
  const ginit = spawn(process.execPath, [GINIT, '--ram', '2G', config], {
    cwd: directory,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const tallies = new Map();
  const begun = new Set();
  const done = new Set();
  const complaints = [];
  const recent = [];
  let wake = () => {};
  let say = () => {};
  const take = (line) => {
    const [, name, text] = TALLY.exec(line) ?? [];
    if (name === undefined) {
      recent.push(line);
      if (recent.length > LINES_KEPT) recent.shift();
      if (COMPLAINT.test(line)) complaints.push(line);
      return;
    }
    const { phase, ...tally } = JSON.parse(text);
    tallies.set(name, tally);
    if (phase === 'begins') begun.add(name);
    if (phase === 'done') done.add(name);
    say([...tallies].map(([of, { requests, failed }]) => `${of} ${requests} (${failed} failed)`).join(', '));
    wake();
  };
  for (const stream of [ginit.stdout, ginit.stderr]) createInterface({ input: stream }).on('line', take);
  const ended = new Promise((resolve) => ginit.on('close', (code, signal) => resolve({ code, signal })));
  void ended.then(() => wake());
  const processes = () => processesOf(ginit.pid);
  return {
    group: ginit.pid,
    tallies,
    begun,
    done,
    complaints,
    processes,
    /** Waits until something holds; rejects if ginit ends before, or it takes too long. */
    async until(holds, timeoutMs, sayNow) {
      say = sayNow;
      const deadline = performance.now() + timeoutMs;
      while (!holds()) {
        if (ginit.exitCode !== null) throw new Error(`ginit has ended:\n${recent.join('\n')}`);
        if (performance.now() > deadline) throw new Error(`the chains do not end:\n${recent.join('\n')}`);
        await new Promise((resolve) => {
          wake = resolve;
          setTimeout(resolve, 1000);
        });
      }
    },
    stop() {
      ginit.kill('SIGTERM');
      return ended;
    },
    killAll() {
      for (const { pid } of processes()) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended by itself in between.
        }
      }
    },
  };
}
