/** Node's own `fs.read` and `fs.write` in a loop: how a program without ginit does it. */
import { openSync, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { figuresOf } from './workloads.mjs';

const [file, settings] = process.argv.slice(2);
const descriptor = openSync(file, 'r+');
const reading = promisify(read);
const writing = promisify(write);
const figures = await figuresOf(JSON.parse(settings), ({ bytes, depth, write: isWrite }) => {
  const buffers = Array.from({ length: depth }, () => new Uint8Array(bytes));
  const transfer = isWrite ? writing : reading;
  return (lane, position) => transfer(descriptor, buffers[lane], 0, bytes, position);
});
console.log(JSON.stringify(figures));
