/**
 * Runs a command that starts the given number of threads or processes, each of which prints
 * `ready`. Prints the time from the start of the command until the last `ready`, and the memory
 * that all of them have then.
 *
 * measure.mjs COUNT COMMAND…
 */
import { spawn } from 'node:child_process';
import { memoryOf } from './memory.mjs';

const [countText, file, ...args] = process.argv.slice(2);
const count = Number(countText);

const begin = performance.now();
const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
let output = '';
let ready = 0;
child.stdout.setEncoding('utf8').on('data', (text) => {
  const lines = (output + text).split('\n');
  output = lines.pop();
  ready += lines.filter((line) => /(^|\] )ready$/.test(line)).length;
  if (ready !== count) return;
  const figures = { readyMs: performance.now() - begin, ...memoryOf(child.pid) };
  console.log(JSON.stringify(figures));
  child.stdout.removeAllListeners('data').resume();
  child.kill('SIGTERM');
});
child.on('close', () => {
  if (ready !== count) {
    console.error(`${ready} of ${count} were ready`);
    process.exitCode = 1;
  }
});
