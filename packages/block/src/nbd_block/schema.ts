/** The config of `nbd_block`. */
import { attribute, element } from '@ginit/core/config';
import { BLOCK_POLICY_ELEMENTS } from '@ginit/core/block';
import { CLIENT_TLS } from '../lib/tls.ts';

/** What becomes of requests whose connection is lost. */
export const IN_FLIGHT = ['replay', 'fail'] as const;

export const NBD_BLOCK_CONFIG = element('config', 'An export of an NBD server as a block device', {
  attributes: {
    connect: attribute.text('unix:PATH, or HOST:PORT, spelled as in the <host> grant', { required: true }),
    export: attribute.text('The name of the export', { fallback: '' }),
    block_size: attribute.bytes('Size of a block, a power of two', {
      otherwise: 'the smallest request of the server, 512 at least',
      min: 512,
      max: 65_536,
    }),
    writeable: attribute.boolean('Whether the export may be written', { fallback: false }),
    connections: attribute.integer('How many are opened, if the server allows that', {
      fallback: 1,
      min: 1,
      max: 16,
    }),
    in_flight: attribute.oneOf('What becomes of requests whose connection is lost', IN_FLIGHT, {
      fallback: 'replay',
    }),
    reconnect_seconds: attribute.integer('How long requests wait for a new connection before they fail', {
      fallback: 30,
      min: 0,
      max: 86_400,
    }),
    stall_seconds: attribute.integer('A server that answers nothing for so long is given up', {
      fallback: 30,
      min: 1,
      max: 86_400,
    }),
    journal: attribute.bytes('Memory for writes that are answered and not synced yet', {
      fallback: 8 * 1024 * 1024,
      min: 64 * 1024,
      max: 1024 * 1024 * 1024,
    }),
  },
  children: [CLIENT_TLS, ...BLOCK_POLICY_ELEMENTS],
});
