/** The Framebuffer session: its declaration, a client and a server. */
export {
  Framebuffer,
  FRAMEBUFFER_MODE_DEFAULT,
  framebufferCost,
  type FramebufferMode,
  framebufferModeOf,
  onScreen,
  PIXEL_BYTES,
  pixelBytes,
  type Rectangle,
} from './declaration.ts';
export { type ConnectFramebufferOptions, FramebufferClient } from './framebuffer-client.ts';
export {
  type FramebufferEvents,
  type FramebufferPicture,
  ServedFramebuffer,
} from './served-framebuffer.ts';
