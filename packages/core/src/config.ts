/**
 * Configs: the schema that a component declares in its manifest, the tree that it reads, and what
 * is said of a wrong one. `env.config.read(schema)` gives what a config says, typed by its schema
 * and with the schema's fallbacks.
 */
export * from './config/index.ts';
export * from './config/syntax/index.ts';
