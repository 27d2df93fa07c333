/** The config of `nbd_server`. */
import { attribute, element } from '@ginit/core/config';
import { SERVER_TLS } from '../lib/tls.ts';
import { bufferAttribute } from '../lib/block-size.ts';

export const NBD_EXPORT = element('export', 'A Block session that clients may use', {
  min: 1,
  attributes: {
    name: attribute.text('The name by which clients ask for it', { required: true }),
    label: attribute.text('Label of the Block session', { otherwise: 'the name' }),
    description: attribute.text('A text for people', { fallback: '' }),
    writeable: attribute.boolean('Whether clients may write', { fallback: false }),
    ...bufferAttribute("Size of the session's buffer"),
    detect_zeroes: attribute.boolean('Whether the device is read to answer where it has zeros', {
      fallback: false,
    }),
  },
});

export const NBD_SERVER_CONFIG = element('config', 'Block sessions for clients of NBD', {
  attributes: {
    listen: attribute.text('unix:PATH, or HOST:PORT, spelled as in the <host> grant', { required: true }),
    connections: attribute.integer('How many there may be at a time', { fallback: 16, min: 1, max: 512 }),
  },
  children: [SERVER_TLS, NBD_EXPORT],
});
