/**
 * Files with the secret half of a node's key: one line, the seed (`SU…`), as `nk -gen user` of NATS
 * writes it. Only its owner may read such a file.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { Identity, newSeed, NkeyError } from '@ginit/core/nats';
import { systemReason } from '../system-reason.ts';

const OWNER_ONLY = 0o600;
/** Others may not read it, and nobody but its owner may write it; a group may be let in. */
const FORBIDDEN_MODES = 0o037;
const SEED_BYTES = 32;
/** No key file is longer. */
const FILE_BYTES_MAX = 1024;

/** A key, or the reason why there is none. */
export type KeyReading =
  | { readonly identity: Identity; readonly seed: string }
  | { readonly problem: string };

/**
 * Makes a new key and writes its seed to a file that is not there yet. Of a file that could not be
 * written as a whole nothing stays.
 */
export function writeNewKey(file: string): KeyReading {
  const seed = newSeed(randomBytes(SEED_BYTES));
  let descriptor: number;
  try {
    descriptor = openSync(file, 'wx', OWNER_ONLY);
  } catch (error) {
    const exists = error instanceof Error && Reflect.get(error, 'code') === 'EEXIST';
    return { problem: `cannot write ${file}: ${exists ? 'it is there already' : directoryReason(error)}` };
  }
  try {
    writeSync(descriptor, `${seed}\n`);
    fsyncSync(descriptor);
  } catch (error) {
    rmSync(file, { force: true });
    return { problem: `cannot write ${file}: ${systemReason(error)}` };
  } finally {
    closeSync(descriptor);
  }
  return { identity: new Identity(seed), seed };
}

function directoryReason(error: unknown): string {
  const isMissing = error instanceof Error && Reflect.get(error, 'code') === 'ENOENT';
  return isMissing ? 'its directory is not there' : systemReason(error);
}

/** Reads a key file. The problem, if there is one, says nothing of what is in the file. */
export function readKey(file: string): KeyReading {
  let text: string;
  try {
    const descriptor = openSync(file, 'r');
    try {
      const { mode } = fstatSync(descriptor);
      if ((mode & FORBIDDEN_MODES) !== 0) {
        const octal = (mode & 0o777).toString(8).padStart(4, '0');
        return { problem: `${file}: others may use this key (mode ${octal}): chmod 600 ${file}` };
      }
      const bytes = Buffer.alloc(FILE_BYTES_MAX + 1);
      const length = readSync(descriptor, bytes);
      if (length > FILE_BYTES_MAX) return { problem: `${file} is no key file: it is too long` };
      text = bytes.toString('latin1', 0, length).trim();
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return { problem: `cannot read ${file}: ${systemReason(error)}` };
  }
  try {
    return { identity: new Identity(text), seed: text };
  } catch (error) {
    if (error instanceof NkeyError) return { problem: `${file} is no key file: ${error.message}` };
    throw error;
  }
}
