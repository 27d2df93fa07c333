/**
 * Traces of block requests as lists of chunk numbers. Formats:
 *
 *   arc    text, four numbers a line: first block, number of blocks, and two that are not used here
 *   list   text, one number of a block in each line; empty lines and those with # in front are left out
 *   u32be  32-bit numbers of blocks, the most significant byte first
 *
 * A file whose name ends in `.zst` is unpacked first.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

export const FORMATS = ['arc', 'list', 'u32be'];
/** A request of more blocks than this is a broken line. */
const REQUEST_BLOCKS_MAX = 2 ** 20;
/** Numbers of blocks fit 32 bits. */
const BLOCK_MAX = 2 ** 32 - 2;
const USES_MAX = 2 ** 28;

function unpacked(path) {
  const bytes = read(path);
  if (!path.endsWith('.zst')) return bytes;
  // The library that unpacks disk images.
  const { decompress } = createRequire(new URL('../../../packages/block/package.json', import.meta.url))(
    'fzstd',
  );
  try {
    return Buffer.from(decompress(bytes));
  } catch (error) {
    throw new Error(`${path}: it cannot be unpacked: ${error.message}`, { cause: error });
  }
}

function read(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${path} cannot be read: ${error.message}`, { cause: error });
  }
}

/** A growing list of numbers. */
class Uses {
  #numbers = new Uint32Array(2 ** 16);
  #length = 0;

  add(number) {
    if (this.#length === USES_MAX) throw new Error(`more than ${USES_MAX} uses`);
    if (this.#length === this.#numbers.length) {
      const larger = new Uint32Array(2 * this.#length);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#length++] = number;
  }

  done() {
    return this.#numbers.subarray(0, this.#length);
  }
}

function blockOf(text, path, line) {
  const number = Number(text);
  if (/^\d+$/.test(text ?? '') && number <= BLOCK_MAX) return number;
  throw new Error(`${path}:${line}: expected the number of a block, not "${text ?? ''}"`);
}

/** Reads a trace. Throws an error with the line if it is not of that format. */
export function readTrace(path, format) {
  const bytes = unpacked(path);
  if (format === 'u32be') {
    if (bytes.length % 4 !== 0) throw new Error(`${path}: ${bytes.length} bytes are no whole 32-bit numbers`);
    return Uint32Array.from({ length: bytes.length / 4 }, (_, index) => {
      const block = bytes.readUInt32BE(4 * index);
      if (block > BLOCK_MAX) throw new Error(`${path}: number ${index + 1}: no block is ${block}`);
      return block;
    });
  }
  const uses = new Uses();
  for (const [index, text] of bytes.toString('latin1').split('\n').entries()) {
    const fields = text.trim().split(/\s+/);
    if (fields[0] === '' || fields[0].startsWith('#')) continue;
    const first = blockOf(fields[0], path, index + 1);
    const count = format === 'arc' ? blockOf(fields[1], path, index + 1) : 1;
    if (count > REQUEST_BLOCKS_MAX || first + count > BLOCK_MAX) {
      throw new Error(`${path}:${index + 1}: a request of ${count} blocks`);
    }
    for (let block = first; block < first + count; block++) uses.add(block);
  }
  return uses.done();
}
