// Vacates buffers under RLIMIT_DATA, more of them than it allows for; prints what they came to, or
// with an argument what this program uses without them, in KiB.
import { readFileSync } from 'node:fs';
import { closeDescriptor, createMemory, mapBuffer, vacateBuffer } from 'sharedarraybuffer-polyfill';

const BYTES = 32 * 2 ** 20;

const dataKib = () => Number(/^VmData:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
const vacated = () => {
  const fd = createMemory(BYTES, 'vacated');
  const buffer = mapBuffer(fd, BYTES);
  new Uint8Array(buffer)[0] = 1;
  vacateBuffer(buffer);
  closeDescriptor(fd);
  return new Uint8Array(buffer);
};
const first = vacated();
if (process.argv[2]) {
  console.log(dataKib());
  process.exit(0);
}
const before = dataKib();
const views = [first];
while (views.length < 20) views.push(vacated());
const grownKib = dataKib() - before;
views[7][9] = 3;
console.log(
  JSON.stringify({
    zeros: views.every((view) => view[0] === 0 && view[1] === 0),
    small: grownKib < 64 * 1024,
  }),
);
