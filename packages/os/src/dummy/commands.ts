/** The config of `dummy`: commands. */
import { attribute, type ConfigOf, element } from '@ginit/core/config';

/** The config of `dummy`. */
export const DUMMY_CONFIG = element('config', 'Commands, carried out in their order', {
  attributes: {
    version: attribute.text('The commands of a newer config are carried out if this has changed', {
      fallback: '',
    }),
  },
  children: [
    element('log', 'Writes a line to the log', {
      attributes: { string: attribute.text('The line', { fallback: '' }) },
    }),
    element('exit', 'Exits, and carries out nothing more', {
      attributes: { code: attribute.integer('The exit code', { fallback: 0, min: 0, max: 255 }) },
    }),
    element('create_log_connections', 'Opens LOG sessions; those opened before are closed first', {
      attributes: {
        count: attribute.integer('How many', { fallback: 0, min: 0, max: 10_000 }),
        ram_upgrade: attribute.bytes('RAM that each of them is upgraded by', { fallback: 0 }),
      },
    }),
    element('destroy_log_connections', 'Closes these LOG sessions'),
    element('log_service', 'Provides LOG: what clients write is logged with their labels', {
      attributes: {
        delay_close_ms: attribute.integer('How long the closing of a session takes', { fallback: 0, min: 0 }),
      },
    }),
    element('consume_ram', 'Allocates RAM; what was allocated so before is freed first', {
      attributes: { amount: attribute.bytes('How much', { fallback: 0 }) },
    }),
    element('consume_caps', 'Takes capabilities into use, likewise', {
      attributes: { amount: attribute.integer('How many', { fallback: 0, min: 0 }) },
    }),
    element(
      'handle_yield_requests',
      'From now on frees all that was consumed when the parent wants some back',
    ),
    element('sleep', 'Waits', {
      attributes: { ms: attribute.integer('How long', { fallback: 100, min: 0 }) },
    }),
    element('sleep_forever', 'Carries out nothing more, not even of newer configs'),
  ],
});

/** One command. */
export type Command = ConfigOf<typeof DUMMY_CONFIG>['$content'][number];
