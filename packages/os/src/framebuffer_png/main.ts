/** A screen for scripts: pictures become files, and what is typed stands in the config. */
import { component, Timer } from '@ginit/core';
import { FileSystem } from '@ginit/core/file_system';
import { Framebuffer } from '@ginit/core/framebuffer';
import { Input } from '@ginit/core/input';
import { FRAMEBUFFER_PNG_CONFIG, PictureScreens } from './picture-screens.ts';

const manifest = {
  provides: [Framebuffer, Input],
  requires: [Timer, FileSystem],
  config: FRAMEBUFFER_PNG_CONFIG,
};

export default component(manifest, (env) => {
  const screens = new PictureScreens(env);
  env.config.onUpdate(() => screens.work());
  env.provide(Framebuffer, (session) => screens.openScreen(session));
  env.provide(Input, (session) => screens.openInput(session));
});
