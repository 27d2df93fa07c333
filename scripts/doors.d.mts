/** Doors of the package that `specifier` names, each with its names; undefined if it is none of ours. */
export function doorsOf(specifier: string): ReadonlyMap<string, ReadonlySet<string>> | undefined;
