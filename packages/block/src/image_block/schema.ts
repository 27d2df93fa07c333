import { attribute, type ConfigOf, element } from '@ginit/core/config';
import { BLOCK_POLICY_ELEMENTS } from '@ginit/core/block';
import { IMAGE_FORMATS } from '../image/index.ts';
import { BLOCK_SIZE_ATTRIBUTE } from '../lib/block-size.ts';

/** The largest disk: beyond it, bytes have no exact numbers. */
const SIZE_MAX = 2 ** 53 - 1;

/** The config of `image_block`. */
export const IMAGE_BLOCK_CONFIG = element('config', 'A disk image in a file of the host as a block device', {
  attributes: {
    file: attribute.text('Path of the image, spelled as in the <host> grant', { required: true }),
    format: attribute.oneOf('Its format, whatever the file holds', IMAGE_FORMATS, {
      otherwise: 'as the name ends: .qcow2, .vdi, .vmdk; .raw and .img are raw',
    }),
    ...BLOCK_SIZE_ATTRIBUTE,
    writeable: attribute.boolean('Whether the image may be written; needs a grant with access="rw"', {
      fallback: false,
    }),
    size: attribute.bytes('The disk is made this large if it is smaller', {
      min: 512,
      max: SIZE_MAX,
      otherwise: 'it keeps its size',
    }),
  },
  children: [
    element('backing', 'Which file a name in an image leads to, for an image behind another', {
      attributes: {
        name: attribute.text('The name, as the image has it', { required: true }),
        file: attribute.text('Path of the file, spelled as in the <host> grant', {
          otherwise: 'the granted file of that name beside the image',
        }),
        format: attribute.oneOf('Its format, whatever the image says', IMAGE_FORMATS, {
          otherwise: 'as the image says, or as the name of the file ends',
        }),
      },
    }),
    ...BLOCK_POLICY_ELEMENTS,
  ],
});

/** A config, as it is read. */
export type ImageBlockConfig = ConfigOf<typeof IMAGE_BLOCK_CONFIG>;
