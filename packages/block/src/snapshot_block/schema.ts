import { attribute, type ConfigOf, element, policyElements } from '@ginit/core/config';
import { CHUNK_BYTES_MAX, CHUNK_BYTES_MIN } from '../snapshot/store-format.ts';
import { bufferAttribute } from '../lib/block-size.ts';

/** The config of `snapshot_block`. */
export const SNAPSHOT_BLOCK_CONFIG = element('config', 'Snapshots of a Block session, kept on another', {
  attributes: {
    format: attribute.boolean('Whether a store that holds nothing but zeros is formatted', {
      fallback: false,
    }),
    chunk_size: attribute.bytes(
      'With `format`: what is kept at a time, a power of two and no less than a block',
      {
        fallback: 64 * 1024,
        min: CHUNK_BYTES_MIN,
        max: CHUNK_BYTES_MAX,
      },
    ),
    when_full: attribute.oneOf(
      'When the store is full: writes fail, or the oldest snapshot goes',
      ['fail', 'drop-oldest'],
      { fallback: 'fail' },
    ),
    warn_at: attribute.integer('Percent of the store from which on a warning is logged', {
      fallback: 80,
      min: 1,
      max: 100,
    }),
    ...bufferAttribute('Buffer for transfers, for each of the two devices'),
  },
  children: [
    element('snapshot', 'A snapshot that there has to be: it is made if there is none of this name', {
      attributes: { name: attribute.text('Its name', { required: true }) },
    }),
    element('delete', 'A snapshot that there must not be: it is deleted', {
      attributes: { name: attribute.text('Its name', { required: true }) },
    }),
    element('rollback', 'The device gets the content of a snapshot, once for each token', {
      attributes: {
        name: attribute.text('Name of the snapshot', { required: true }),
        token: attribute.integer('Another one than that of the last rollback', { required: true, min: 1 }),
      },
      max: 1,
    }),
    element('report', 'What is reported', {
      attributes: { snapshots: attribute.boolean('Whether the snapshots are', { fallback: false }) },
      max: 1,
    }),
    ...policyElements({
      snapshot: attribute.text('The snapshot that these sessions show', { otherwise: 'the device itself' }),
      writeable: attribute.boolean('Whether these sessions may write; no snapshot can be written', {
        fallback: false,
      }),
    }),
  ],
});

/** A config, as it is read. */
export type SnapshotBlockConfig = ConfigOf<typeof SNAPSHOT_BLOCK_CONFIG>;
