/**
 * What decides whether memory can be shared, of the environment: all of it that our processes and threads pass on. They must all
 * come to the same answer. NODE_PATH is not passed on: what it leads to has been looked at by nobody.
 */
const SWITCH = 'SHAREDARRAYBUFFER_POLYFILL';

/** The switch, if it is set here. */
export function memorySwitch(): Readonly<Record<string, string>> {
  const value = process.env[SWITCH];
  return value === undefined ? {} : { [SWITCH]: value };
}
