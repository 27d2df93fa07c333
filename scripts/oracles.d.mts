/** Debian packages, and those of their programs that tests use. */
export const ORACLES: Readonly<Record<string, readonly string[]>>;

/** Installs what is missing, if that is possible. */
export function installOracles(): void;
