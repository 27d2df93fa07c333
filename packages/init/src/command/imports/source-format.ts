/** How the source of a module is parsed. */
export type ParsedFormat = 'module' | 'commonjs';
