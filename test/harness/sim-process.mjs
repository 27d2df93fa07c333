/**
 * Runs `ginit sim` again and again in one process, which has loaded it once. What each run writes
 * goes back with its exit code, as if it had been a command of its own.
 */
import { Writable } from 'node:stream';
import { Output } from '../../packages/init/dist/command/output.js';
import { simulate } from '../../packages/init/dist/command/sim/main.js';

/** A stream that keeps what is written to it. */
function keeper() {
  const parts = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      parts.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(parts).toString() };
}

async function run({ directory, args }) {
  process.chdir(directory);
  const [out, err] = [keeper(), keeper()];
  const code = await simulate(args, new Output(out.stream, err.stream));
  return { code, stdout: out.text(), stderr: err.text() };
}

let last = Promise.resolve();
process.on('message', (request) => {
  // One run replaces the globals of the thread, so they come one after the other.
  last = last.then(async () => {
    process.send({ number: request.number, ...(await run(request)) });
  });
});
process.on('disconnect', () => process.exit(0));
