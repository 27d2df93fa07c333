import { hasCode } from '@ginit/core';

/** Why a child could not be started, for people. */
export function reasonOf(error: unknown): string {
  if (hasCode(error, 'OUT_OF_RAM')) return `not enough RAM quota (${error.message})`;
  if (hasCode(error, 'OUT_OF_CAPS')) return `not enough capability quota (${error.message})`;
  return error instanceof Error ? error.message : String(error);
}
