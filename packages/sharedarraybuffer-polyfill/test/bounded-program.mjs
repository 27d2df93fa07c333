// Makes an arena under RLIMIT_DATA; prints how large it could be, and the limits afterwards.
import { readFileSync } from 'node:fs';
import { createArena } from 'sharedarraybuffer-polyfill';

const attempt = () => {
  try {
    return createArena(256 * 2 ** 20).sizeBytes;
  } catch (error) {
    return error.code;
  }
};
const arena = attempt();
const [soft, hard] = /^Max data size\s+(\S+)\s+(\S+)/m
  .exec(readFileSync('/proc/self/limits', 'utf8'))
  .slice(1);
console.log(JSON.stringify({ arena, soft: Number(soft), hard: Number(hard) }));
