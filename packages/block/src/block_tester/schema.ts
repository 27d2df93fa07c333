import { attribute, type ConfigOf, element } from '@ginit/core/config';

/** The most requests of one test that are under way at a time: the slots of a stream's queues. */
export const BATCH_MAX = 255;
/** The most requests of one `<replay>`. */
const REPLAY_MAX = 65_536;

const MIB = 1024 * 1024;

const range = {
  start: attribute.bytes('Where it begins on the device', { fallback: 0 }),
  length: attribute.bytes('How much of the device it uses', { otherwise: 'all from there on' }),
};
const requests = {
  size: attribute.bytes('Size of a request', { fallback: 4096, min: 512, max: 16 * MIB }),
  batch: attribute.integer('How many requests are under way at a time', {
    fallback: 1,
    min: 1,
    max: BATCH_MAX,
  }),
  synchronous: attribute.boolean('Whether one request is under way at a time, whatever `batch` says', {
    fallback: false,
  }),
};
const verify = {
  verify: attribute.boolean('Whether a pattern is written and compared', { fallback: false }),
};
const write = { write: attribute.boolean('Whether it writes, too', { fallback: false }) };

/** The config of `block_tester`. */
export const BLOCK_TESTER_CONFIG = element('config', 'Tests a Block session and measures it', {
  attributes: {
    stop_on_error: attribute.boolean('Whether the first test that fails is the last one', {
      fallback: true,
    }),
    figures: attribute.boolean('Whether the log has throughput and latencies', { fallback: true }),
    report: attribute.boolean('Whether the results are reported, as `results`', { fallback: false }),
    latency_one_in: attribute.integer('The latency of one in so many requests is measured', {
      fallback: 8,
      min: 1,
    }),
  },
  children: [
    element('tests', 'The tests, which run one after the other', {
      min: 1,
      max: 1,
      children: [
        element('sequential', 'From the beginning of a range to its end', {
          attributes: { ...range, ...requests, ...write, ...verify },
        }),
        element('random', 'Requests at random places of a range', {
          attributes: {
            ...range,
            ...requests,
            seed: attribute.integer('The same seed gives the same requests', { fallback: 1, min: 0 }),
            requests: attribute.integer('How many requests', { otherwise: 'as many as fill the range' }),
            read: attribute.boolean('Whether it reads', { fallback: true }),
            ...write,
            ...verify,
          },
        }),
        element('ping_pong', 'In turn from the beginning and from the end of a range', {
          attributes: { ...range, ...requests, ...write, ...verify },
        }),
        element('replay', 'Requests that are listed', {
          attributes: { batch: requests.batch },
          children: [
            element('request', 'One request', {
              attributes: {
                type: attribute.oneOf('What it does', ['read', 'write', 'sync', 'trim', 'zeroes'], {
                  required: true,
                }),
                lba: attribute.integer('First block', { fallback: 0, min: 0 }),
                count: attribute.integer('Blocks', { fallback: 1, min: 0 }),
              },
              max: REPLAY_MAX,
            }),
          ],
        }),
      ],
    }),
  ],
});

/** A config, as it is read. */
export type BlockTesterConfig = ConfigOf<typeof BLOCK_TESTER_CONFIG>;
/** One of its tests. */
export type TestConfig = BlockTesterConfig['$children']['tests']['$content'][number];
