import { attribute, type ConfigOf, element, policyElements } from '@ginit/core/config';

/** The bytes of the report that are paid for unless the config says otherwise. */
const REPORT_BYTES = 32 * 1024;
const REPORT_BYTES_MIN = 1024;

/** The config of `part_block`. */
export const PART_BLOCK_CONFIG = element('config', 'Who gets which partition', {
  attributes: {
    ignore_mbr: attribute.boolean('Whether an MBR is not looked at', { fallback: false }),
    ignore_gpt: attribute.boolean('Whether a GPT is not looked at', { fallback: false }),
  },
  children: [
    element('report', 'What is reported', {
      attributes: {
        partitions: attribute.boolean('Whether the partitions are', { fallback: false }),
        buffer: attribute.bytes('Bytes of the largest report, out of the RAM quota', {
          fallback: REPORT_BYTES,
          min: REPORT_BYTES_MIN,
          max: 1024 * 1024,
        }),
      },
      max: 1,
    }),
    ...policyElements({
      partition: attribute.integer('Number in the table; 0: a disk without table', {
        min: 0,
        max: 8192,
        otherwise: 'any',
      }),
      name: attribute.text('Name of the partition in a GPT', { otherwise: 'any' }),
      guid: attribute.text('Its GUID in a GPT', { otherwise: 'any' }),
      type: attribute.text('Its type: two hexadecimal digits of an MBR, or a GUID', { otherwise: 'any' }),
      writeable: attribute.boolean(
        'Whether the session may write; the backend and the client have a say, too',
        { fallback: false },
      ),
    }),
  ],
});

/** A config, as it is read. */
export type PartBlockConfig = ConfigOf<typeof PART_BLOCK_CONFIG>;

/** Checks what the schema cannot express. Throws `ConfigError`. */
export function checkConfig(config: PartBlockConfig): void {
  const { policy: policies, 'default-policy': fallback } = config.$children;
  for (const policy of fallback ? [...policies, fallback] : policies) {
    const { partition, name, guid, type, $node } = policy;
    if ([partition, name, guid, type].every((wanted) => wanted === undefined)) {
      throw $node.errorAt(
        'a policy names its partition by partition, name, guid or type, or several of them',
      );
    }
  }
}
