/**
 * The environment variables that our processes and threads pass on: only the switch for shared
 * memory, because all of them must come to the same answer. NODE_PATH is not passed on, because
 * nobody has checked the modules that it leads to.
 */
const SWITCH = 'SHAREDARRAYBUFFER_POLYFILL';

/** The switch, if it is set in this process. */
export function memorySwitch(): Readonly<Record<string, string>> {
  const value = process.env[SWITCH];
  return value === undefined ? {} : { [SWITCH]: value };
}
