// Makes an arena under RLIMIT_DATA; prints how large it could be, and the limits afterwards. With
// an argument it prints how much of RLIMIT_DATA this program uses without an arena, in KiB.
import { readFileSync } from 'node:fs';
import { createArena } from 'sharedarraybuffer-polyfill';

const attempt = () => {
  try {
    return createArena(256 * 2 ** 20).sizeBytes;
  } catch (error) {
    return error.code;
  }
};
if (process.argv[2]) {
  console.log(/^VmData:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  process.exit(0);
}
const arena = attempt();
const [soft, hard] = /^Max data size\s+(\S+)\s+(\S+)/m
  .exec(readFileSync('/proc/self/limits', 'utf8'))
  .slice(1);
console.log(JSON.stringify({ arena, soft: Number(soft), hard: Number(hard) }));
