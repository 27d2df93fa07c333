/**
 * Whether this code runs from the bundle of the packages or from their modules. Processes and
 * threads that it starts must use the same form, because a component and the runtime of its thread
 * share classes.
 */

/** Whether this is the bundle, which lies beside `dist/` in a directory of its own. */
export const BUNDLED = new URL('../../', import.meta.url).pathname.endsWith('/bundle/');

/** Flags of Node by which a process that is started finds our packages in the same form. */
export const FORM_FLAGS: readonly string[] = BUNDLED ? ['--conditions=ginit-bundle'] : [];
