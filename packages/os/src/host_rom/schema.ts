/** The config of `host_rom`. */
import { attribute, element } from '@ginit/core/config';

/** The config of `host_rom`. */
export const HOST_ROM_CONFIG = element('config', 'Which files of the host are ROM modules', {
  attributes: {
    directory: attribute.text('A granted directory whose files are modules, by their names in it', {
      otherwise: 'only the modules that are listed',
    }),
    interval_ms: attribute.integer('How often the files are looked at', { fallback: 500, min: 10 }),
  },
  children: [
    element('rom', 'A granted file as a module', {
      attributes: {
        name: attribute.text('Name of the module', { required: true }),
        file: attribute.text('Path of the file, spelled as in the <host> grant', { otherwise: 'the name' }),
      },
    }),
  ],
});
