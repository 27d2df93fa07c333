/** Forks the given number of processes, each of which reports that it runs, and stays. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

if (process.send) {
  process.send('ready');
  // Listening keeps the process, for as long as the channel is there.
  process.on('message', () => {});
} else {
  for (let count = Number(process.argv[2]); count > 0; count--) {
    fork(fileURLToPath(import.meta.url)).on('message', (text) => console.log(text));
  }
}
