/** The switch of shared memory in the environment: all of it that our processes and threads pass on. */

const SWITCH = 'SHAREDARRAYBUFFER_POLYFILL';

/** The environment variable, if it is set here. */
export function memorySwitch(): Readonly<Record<string, string>> {
  const value = process.env[SWITCH];
  return value === undefined ? {} : { [SWITCH]: value };
}
