export interface MedianInterval {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
}
export const NOT_SLOWER: number;
export const PAIRS_MIN: number;
export function lessIsBetter(figure: string): boolean | undefined;
export function pairedRatio(figure: string, current: number, other: number): number | undefined;
export function medianInterval(ratios: readonly number[]): MedianInterval;
export function isSlower(interval: Pick<MedianInterval, 'high'>): boolean;
