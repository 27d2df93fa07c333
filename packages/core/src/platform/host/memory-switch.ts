/**
 * What decides whether memory can be shared, of the environment: all of it that our processes and threads pass on. They must all
 * come to the same answer.
 */

/** The switch itself, and where koffi may be found besides. */
const NAMES = ['SHAREDARRAYBUFFER_POLYFILL', 'NODE_PATH'];

/** Those environment variables that are set here. */
export function memorySwitch(): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of NAMES) {
    const value = process.env[name];
    if (value !== undefined) found[name] = value;
  }
  return found;
}
