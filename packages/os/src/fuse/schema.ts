/** The config of `fuse`. */
import { attribute, element } from '@ginit/core/config';

export const FUSE_CONFIG = element('config', 'A File_system session at a directory of the host', {
  attributes: {
    mount: attribute.text('The directory, spelled as in the <host> grant', { required: true }),
    label: attribute.label('Label of the File_system session', { fallback: 'root' }),
    writeable: attribute.boolean('Whether programs may change anything', { fallback: true }),
    allow_other: attribute.boolean("Whether other users than ginit's may look at it", { fallback: false }),
    uid: attribute.integer('The owner that every node shows', {
      otherwise: "the node's own",
      max: 4294967294,
    }),
    gid: attribute.integer('The group that every node shows', {
      otherwise: "the node's own",
      max: 4294967294,
    }),
    umask: attribute.text('Bits of permissions that no node shows, in octal digits', { fallback: '0' }),
    timeout_ms: attribute.integer('A request that takes longer fails with EIO', {
      otherwise: 'waits for as long as it takes',
      min: 1000,
    }),
    tx_buf_size: attribute.bytes("Size of the session's buffer: what is under way at a time", {
      fallback: 2 * 1024 * 1024,
      min: 64 * 1024,
    }),
  },
});
