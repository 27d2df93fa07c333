import { checkFileSystem } from '../src/file-systems.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';

/** What is no fault of a file system with a journal that was not unmounted. */
const AFTER_A_CRASH = [
  /: journal: \d+ transactions from \d+ on have to be replayed$/,
  /: list of orphans: \d+ inodes wait/,
  /^harmless: log of WAPBL: \d+ records have to be replayed$/,
  /^harmless: log of WAPBL: \d+ inodes wait to be freed$/,
];

/** What our checker finds in an image, a line each; '' if nothing. */
export async function ourFindings(image: Uint8Array, type: string): Promise<string> {
  const { findings } = await checkFileSystem(new MemoryHypercalls(image, { writeable: false }).bio, type);
  return findings.map(({ kind, text }) => `${kind}: ${text}`).join('\n');
}

/** The same without what a journal and the next mount see to. */
export async function findingsAfterReplay(image: Uint8Array, type = 'ext2'): Promise<string> {
  const lines = (await ourFindings(image, type)).split('\n');
  return lines.filter((line) => !AFTER_A_CRASH.some((usual) => usual.test(line))).join('\n');
}
