/**
 * Framebuffer sessions: pixels that a component draws, and whoever shows them. `FramebufferClient`
 * is the client, `ServedFramebuffer` a server.
 */
export * from './session/framebuffer/index.ts';
