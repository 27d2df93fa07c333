/** Buffer.copy in one thread: the cost of moving bytes when no other thread is involved. */
import { microsecondsEach } from '../harness/measure.mjs';
import { makePayload, measureSizes, readPayload } from './traffic.mjs';

const settings = JSON.parse(process.argv[2] ?? '{}');

/** Copies, and with `settings.read` also reads, as the consumers of the other contenders do. */
function makeRun(size) {
  const source = Buffer.from(makePayload(size));
  const target = Buffer.alloc(size);
  const expected = readPayload(source);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      source.copy(target);
      if (settings.read) sum += readPayload(target);
    }
    if (settings.read && sum !== expected * count) throw new Error('read something else');
  };
}

console.log(JSON.stringify(await measureSizes(makeRun, microsecondsEach, settings)));
