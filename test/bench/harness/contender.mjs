/**
 * One run of one contender: a process of its own, pinned, whose last line of JSON holds its
 * figures.
 */
import { spawn } from 'node:child_process';

const TIMEOUT_MS = 60_000;

/** Groups of the contenders that run, which end with the benchmark. */
const running = new Set();
function endAll() {
  for (const group of running) {
    try {
      process.kill(-group, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
}
process.on('exit', endAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** Runs a command to its end; settles with its output. Rejects if it fails or takes too long. */
function finished(command, timeoutMs = TIMEOUT_MS) {
  const [file, ...args] = command;
  return new Promise((resolve, reject) => {
    // A process group of its own: ginit has children, which must not outlive a run that hangs.
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    if (child.pid !== undefined) running.add(child.pid);
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), timeoutMs);
    child.on('error', reject);
    child.on('exit', () => running.delete(child.pid));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else reject(new Error(`${command.join(' ')} ended with ${signal ?? code}:\n${output}${errors}`));
    });
  });
}

/** The figures in a contender's output; ginit puts the label of the component before them. */
function figuresIn(output) {
  const line = output.split('\n').findLast((candidate) => candidate.includes('{"'));
  if (line === undefined) throw new Error(`no figures in the output:\n${output}`);
  const figures = JSON.parse(line.slice(line.indexOf('{"')));
  for (const [key, value] of Object.entries(figures)) {
    if (!Number.isFinite(value) || value <= 0) throw new Error(`${key} is ${value}`);
  }
  return figures;
}

/** Runs a contender once at its place; settles with its figures by key. */
export async function runOnce(contender) {
  return figuresIn(await finished(contender.place.wrap(contender.command), contender.timeoutMs));
}
