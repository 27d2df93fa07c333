/** The config of `http_block`. */
import { attribute, element } from '@ginit/core/config';
import { BLOCK_POLICY_ELEMENTS } from '@ginit/core/block';
import { BLOCK_SIZE_ATTRIBUTE } from '../lib/block-size.ts';
import { CLIENT_TLS } from '../lib/tls.ts';

export const HTTP_BLOCK_CONFIG = element('config', 'A file of an HTTP server as a block device', {
  attributes: {
    uri: attribute.text('http://… or https://…; its HOST:PORT is granted', { required: true }),
    ...BLOCK_SIZE_ATTRIBUTE,
    connections: attribute.integer('Requests to the server at a time', { fallback: 4, min: 1, max: 64 }),
    retries: attribute.integer('How often a request that failed is made again', {
      fallback: 5,
      min: 0,
      max: 100,
    }),
    timeout_seconds: attribute.integer('A request that takes longer has failed', {
      fallback: 30,
      min: 1,
      max: 3600,
    }),
  },
  children: [CLIENT_TLS, ...BLOCK_POLICY_ELEMENTS],
});
