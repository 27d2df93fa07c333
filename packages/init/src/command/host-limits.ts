/** How much of the host this process and its children may use. */
import { readFileSync } from 'node:fs';
import type { HostLimits } from '../check/index.ts';

/**
 * Reads the kernel's limits. On other systems than Linux nothing is known. Node has raised the soft
 * limit of descriptors already.
 */
export function hostLimits(): HostLimits {
  let text: string;
  try {
    text = readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return {};
  }
  // The limit of processes does not apply to root.
  return {
    descriptors: softLimit(text, 'Max open files'),
    threads: process.getuid?.() === 0 ? undefined : softLimit(text, 'Max processes'),
  };
}

/** `undefined` if the limit is unlimited. */
function softLimit(text: string, name: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  const value = line?.slice(name.length).trim().split(/\s+/)[0];
  return value === undefined || !/^\d+$/.test(value) ? undefined : Number(value);
}
