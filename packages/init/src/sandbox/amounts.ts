/** Arithmetic of quota. */
import type { Resources } from '@ginit/core/system';

export const NOTHING: Resources = { ram: 0, caps: 0 };

export function plus(one: Resources, two: Resources): Resources {
  return { ram: one.ram + two.ram, caps: one.caps + two.caps };
}

/** The rest of `whole` without `part`; no amount is less than 0. */
export function minus(whole: Resources, part: Resources): Resources {
  return { ram: Math.max(0, whole.ram - part.ram), caps: Math.max(0, whole.caps - part.caps) };
}

export function atMost(wanted: Resources, there: Resources): Resources {
  return { ram: Math.min(wanted.ram, there.ram), caps: Math.min(wanted.caps, there.caps) };
}

export function isNothing({ ram, caps }: Resources): boolean {
  return ram === 0 && caps === 0;
}

/** The amounts in words, for people. */
export function amountText({ ram, caps }: Resources): string {
  return `${ram} bytes and ${caps} caps`;
}
