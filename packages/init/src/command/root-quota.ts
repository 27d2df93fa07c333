import { totalmem } from 'node:os';
import type { Quota } from '../model/index.ts';

/**
 * The capability quota of the whole system, also of a simulated one. Init holds a capability with
 * the supervisor for each session of every child, and the supervisor's cheapest session costs two.
 * So the capability table between the two, of 65,536 entries, is never full, however many sessions
 * are opened.
 */
export const ROOT_CAPS = 120_000;

/** The quota of a system whose command line says nothing of it: half of the machine's memory. */
export function defaultQuota(): Quota {
  return { ram: Math.floor(totalmem() / 2), caps: ROOT_CAPS };
}
