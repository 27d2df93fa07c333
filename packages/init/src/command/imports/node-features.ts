/**
 * What the Node of components can do. It is the one that runs us, but started without options: ours, such as those of
 * NODE_OPTIONS, say nothing of it.
 */

/** Whether `require` loads modules: then there is a condition for what it finds either way. */
export function requiresModules(): boolean {
  return isSince([20, 19], [22, 12], [23, 0]);
}

/** Whether it loads TypeScript. */
export function stripsTypes(): boolean {
  return isSince([22, 18], [23, 6]);
}

/** Whether Node is as new as one of these in its own line, or newer than all of them. */
function isSince(...versions: readonly (readonly [major: number, minor: number])[]): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const last = versions.at(-1)?.[0] ?? 0;
  return major > last || versions.some(([line, since]) => major === line && minor >= since);
}
