import { hasCode } from '@ginit/core';
import { shortPhrase } from '../report/index.ts';
import { TooLittle } from './treasury.ts';

/** Why a child could not be started, for people. */
export function reasonOf(error: unknown): string {
  if (hasCode(error, 'OUT_OF_RAM')) return `not enough RAM quota (${error.message})`;
  if (hasCode(error, 'OUT_OF_CAPS')) return `not enough capability quota (${error.message})`;
  return error instanceof Error ? error.message : String(error);
}

/** The same in one phrase. */
export function failurePhrase(error: unknown): string {
  return (error instanceof TooLittle ? shortPhrase(error.short) : undefined) ?? reasonOf(error);
}
