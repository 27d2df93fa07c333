/**
 * Waiting: promises that are settled from outside, locks, and work in lanes or pieces. It knows
 * nothing of components.
 */
export * from './async/index.ts';
