/** Whether components can be jailed here: jails are for Linux on x64. */
export const JAILABLE = process.platform === 'linux' && process.arch === 'x64';
