import { attribute, type ConfigOf, element } from '@ginit/core/config';
import { BLOCK_POLICY_ELEMENTS } from '@ginit/core/block';
import { bufferAttribute } from '../lib/block-size.ts';

/** The words for operations in a config. */
export const FAULT_OPERATIONS = ['any', 'read', 'write', 'sync', 'trim', 'zeroes'] as const;

/** When a fault strikes. All conditions must hold. */
const trigger = {
  one_in: attribute.integer('It strikes once in this many requests, on average', { min: 1, fallback: 100 }),
  operation: attribute.oneOf('Only requests of this kind', FAULT_OPERATIONS, { fallback: 'any' }),
  first: attribute.integer('Only requests that touch this block or one behind it', { min: 0, fallback: 0 }),
  count: attribute.integer('With `first`: that touch one of this many blocks', { min: 1, otherwise: 'all' }),
  after: attribute.integer('Not among this many first requests', { min: 0, fallback: 0 }),
  most: attribute.integer('It strikes at most so often', { min: 1, otherwise: 'any number of times' }),
};

/** The largest number of requests that may be stuck at a time, whatever the config says. */
export const STUCK_MAX = 128;

/** The config of `fault_block`. */
export const FAULT_BLOCK_CONFIG = element('config', 'Faults for the requests to a Block session', {
  attributes: {
    seed: attribute.integer('The same seed gives the same faults for the same requests', {
      min: 0,
      fallback: 1,
    }),
    verbose: attribute.boolean('Whether every fault is logged', { fallback: false }),
    ...bufferAttribute('Buffer for transfers from and to the device'),
  },
  children: [
    element('delay', 'Requests begin later', {
      attributes: {
        ...trigger,
        min_ms: attribute.integer('The shortest delay in milliseconds', { min: 0, fallback: 1 }),
        max_ms: attribute.integer('The longest', { min: 0, max: 60_000, fallback: 10 }),
      },
    }),
    element('reorder', 'Requests are held back and then begun in another order', {
      attributes: {
        window: attribute.integer('How many are held back, at most', { min: 2, max: 256, fallback: 16 }),
        hold_ms: attribute.integer('How long, at most, in milliseconds', {
          min: 1,
          max: 60_000,
          fallback: 5,
        }),
        order: attribute.oneOf('The new order', ['random', 'reverse'], { fallback: 'random' }),
      },
      max: 1,
    }),
    element('error', 'Requests fail and are not carried out', {
      attributes: {
        ...trigger,
        code: attribute.oneOf('The error', ['InputOutput', 'NoSpace', 'ReadOnly', 'Gone'], {
          fallback: 'InputOutput',
        }),
      },
    }),
    element('torn-write', 'Writes are carried out in part, by sectors of 512 bytes, and fail', {
      attributes: trigger,
    }),
    element('lost-sync', 'SYNCs are answered and not carried out', { attributes: trigger }),
    element('stuck', `Requests are not answered until their session is closed, ${STUCK_MAX} at a time`, {
      attributes: trigger,
    }),
    element('volatile', 'Writes are answered from memory, and are on the device after a SYNC only', {
      attributes: {
        size: attribute.bytes('Memory for blocks, out of the RAM quota', { required: true, min: 64 * 1024 }),
        evict_one_in: attribute.integer('A write puts another block on the device once in so many', {
          min: 1,
          otherwise: 'never, before the memory is full',
        }),
      },
      max: 1,
    }),
    element('power-cut', 'The power goes: of what is in memory a random part is kept', {
      attributes: {
        after: attribute.integer('Before this request', { min: 0, required: true }),
        torn: attribute.boolean('Whether blocks may be left half written, by sectors of 512 bytes', {
          fallback: false,
        }),
      },
      max: 1,
    }),
    ...BLOCK_POLICY_ELEMENTS,
  ],
});

/** A config, as it is read. */
export type FaultBlockConfig = ConfigOf<typeof FAULT_BLOCK_CONFIG>;
