/**
 * Whether this is the bundle of the packages or the modules it was made of. What is started from here must be of the same
 * form: a component and the runtime of its thread share their classes.
 */

/** Set in the bundle, which lies beside `dist/` in a directory of its own. */
export const BUNDLED = new URL('../../', import.meta.url).pathname.endsWith('/bundle/');

/** Flags of Node by which what is started finds our packages in the form that we have. */
export const FORM_FLAGS: readonly string[] = BUNDLED ? ['--conditions=ginit-bundle'] : [];
