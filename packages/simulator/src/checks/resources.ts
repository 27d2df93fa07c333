/**
 * Arithmetic of quota differences, which may be negative: they compare the actual with the expected
 * quota.
 */
import type { Resources } from '@ginit/core/system';

export const NOTHING: Resources = { ram: 0, caps: 0 };

export const sum = (list: readonly Resources[]): Resources =>
  list.reduce((a, b) => ({ ram: a.ram + b.ram, caps: a.caps + b.caps }), NOTHING);

export const minus = (a: Resources, b: Resources): Resources => ({
  ram: a.ram - b.ram,
  caps: a.caps - b.caps,
});

export const positive = ({ ram, caps }: Resources): Resources => ({
  ram: Math.max(0, ram),
  caps: Math.max(0, caps),
});

export const atMost = (a: Resources, b: Resources): Resources => ({
  ram: Math.min(a.ram, b.ram),
  caps: Math.min(a.caps, b.caps),
});

export const isZero = ({ ram, caps }: Resources): boolean => ram === 0 && caps === 0;

const signed = (amount: number): string => (amount > 0 ? `+${amount}` : String(amount));

export const words = ({ ram, caps }: Resources): string => `${signed(ram)} bytes and ${signed(caps)} caps`;
