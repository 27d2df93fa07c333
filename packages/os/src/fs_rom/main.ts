/** The files of a File_system session as ROM modules, which follow every change. */
import { component, Rom } from '@ginit/core';
import { element } from '@ginit/core/config';
import { FileSystem, FileSystemClient } from '@ginit/core/file_system';
import { FileRoms } from './file-roms.ts';

const CONFIG = element('config', 'Nothing is to be said');

export default component({ provides: [Rom], requires: [FileSystem], config: CONFIG }, async (env) => {
  const roms: FileRoms = new FileRoms(
    env,
    await FileSystemClient.connect(env, {
      writeable: false,
      onReattach: (client) => roms.moveTo(client),
    }),
  );
  env.provide(Rom, ({ label }) => roms.open(label));
});
