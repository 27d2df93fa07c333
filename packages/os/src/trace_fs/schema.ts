/** The config of `trace_fs`: who may see what, and how much tracing may take. */
import { attribute, type ConfigOf, element, policyElements } from '@ginit/core/config';
import { LIMITS } from '@ginit/core/system';

const { traceBufferBytesMin: min, traceBufferBytesMax: max } = LIMITS;

/** The config of `trace_fs`. */
export const TRACE_FS_CONFIG = element('config', 'Who may trace, and how much of it', {
  children: [
    ...policyElements({
      root: attribute.text('The directory that these sessions see as /', { required: true }),
      writeable: attribute.boolean('Whether these sessions may trace; otherwise they only look', {
        fallback: true,
      }),
      interval: attribute.integer('Milliseconds between two looks at the subjects and their buffers', {
        fallback: 1000,
        min: 10,
        max: 3_600_000,
      }),
      subject_limit: attribute.integer('The most subjects that are shown', {
        fallback: 128,
        min: 1,
        max: LIMITS.traceSubjects,
      }),
      trace_quota: attribute.bytes('RAM for buffers and for events that were read out of them', {
        fallback: 32 * 2 ** 20,
        min,
        max: 2 ** 40,
      }),
      trace_meta_quota: attribute.bytes('RAM for policies and subjects, donated to the TRACE session', {
        fallback: 256 * 1024,
        min: 4096,
        max: 2 ** 30,
      }),
      parent_levels: attribute.integer('How many leading elements of the labels make no directory', {
        fallback: 0,
        min: 0,
        max: 100,
      }),
      buffer_size: attribute.bytes('The size of a buffer unless told otherwise', {
        fallback: 32 * 1024,
        min,
        max,
      }),
      buffer_size_max: attribute.bytes('The largest size of a buffer', { fallback: 2 ** 20, min, max }),
    }),
  ],
});

/** What a policy allows the sessions with its label. */
export type TraceFsPolicy = Pick<
  NonNullable<ConfigOf<typeof TRACE_FS_CONFIG>['$children']['default-policy']>,
  | 'interval'
  | 'subject_limit'
  | 'trace_quota'
  | 'trace_meta_quota'
  | 'parent_levels'
  | 'buffer_size'
  | 'buffer_size_max'
>;
