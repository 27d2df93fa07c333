/**
 * Notices of a component's thread to the main thread of its process. A component's code could write
 * to the same port, so everything in them is checked and bounded.
 */
import { isRecord } from '../../interface/shapes.ts';
import { LIMITS } from '../../limits.ts';
import { type HostUse, hostUse } from '../wire/host-use.ts';

/** How many characters are taken of a thread's message about something it cannot have. */
const LACK_CHARACTERS = 200;

/** The lines that a thread leaves behind when it ends. */
export function lastLinesIn(notice: unknown): string[] {
  const lines = isRecord(notice) ? notice['lastLines'] : undefined;
  if (!Array.isArray(lines)) return [];
  let characters = 0;
  return lines
    .filter((line) => typeof line === 'string')
    .filter((line) => (characters += line.length) <= LIMITS.logBacklogCharacters * 2)
    .map((line) => line.slice(0, LIMITS.logLineCharacters));
}

/** The use of the host that a notice tells, in an audit. */
export function useIn(notice: unknown): HostUse | undefined {
  const used = isRecord(notice) ? notice['used'] : undefined;
  try {
    return used === undefined ? undefined : hostUse(used, 'use');
  } catch {
    return undefined;
  }
}

/** The thing that a thread says it cannot have. A component's code could write to the same port. */
export function lackIn(notice: unknown): string | undefined {
  const lack = isRecord(notice) ? notice['lack'] : undefined;
  return typeof lack === 'string' ? lack.slice(0, LACK_CHARACTERS) : undefined;
}
