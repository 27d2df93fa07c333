/**
 * Two workers that sleep in Atomics.wait and do nothing else: the floor for JavaScript. Such a
 * thread has no event loop, so this is no way to write programs.
 */
import { microsecondsEach } from '../harness/measure.mjs';
import { runPair } from '../harness/pair.mjs';

const TO_SERVER = 0;
/** On a cache line of its own. */
const TO_CLIENT = 16;

function wake(words, at, turn) {
  Atomics.store(words, at, turn);
  Atomics.notify(words, at);
}

function sleepUntil(words, at, turn) {
  for (let seen = Atomics.load(words, at); seen !== turn; seen = Atomics.load(words, at)) {
    Atomics.wait(words, at, seen);
  }
}

function server(port) {
  port.once('message', (words) => {
    for (let turn = 1; ; turn++) {
      sleepUntil(words, TO_SERVER, turn | 0);
      wake(words, TO_CLIENT, turn | 0);
    }
  });
}

async function client(port, settings) {
  const words = new Int32Array(new SharedArrayBuffer(128));
  // A port of a worker, not a window: there is no origin to name.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  port.postMessage(words);
  let turn = 0;
  const run = (count) => {
    for (let i = 0; i < count; i++) {
      turn++;
      wake(words, TO_SERVER, turn | 0);
      sleepUntil(words, TO_CLIENT, turn | 0);
    }
  };
  return { roundTripUs: await microsecondsEach(run, settings) };
}

await runPair(import.meta.url, { server, client });
