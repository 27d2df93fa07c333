/**
 * The abilities of the Node that runs components. It is the same Node that runs us, but started
 * without options; so the options that we were started with, such as those of NODE_OPTIONS, say
 * nothing about it.
 */

/**
 * Whether `require` can load ES modules. If so, the condition `module-sync` holds for `import` and
 * `require` alike.
 */
export function requiresModules(): boolean {
  return isSince([20, 19], [22, 12], [23, 0]);
}

/** Whether this Node can load TypeScript. */
export function stripsTypes(): boolean {
  return isSince([22, 18], [23, 6]);
}

/**
 * Whether this version of Node is at least the listed one of its own major line, or newer than all
 * of them.
 */
function isSince(...versions: readonly (readonly [major: number, minor: number])[]): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const last = versions.at(-1)?.[0] ?? 0;
  return major > last || versions.some(([line, since]) => major === line && minor >= since);
}
