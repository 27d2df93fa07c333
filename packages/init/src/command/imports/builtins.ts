/**
 * Lists those of Node's own modules that give no authority: code that has them can do nothing that
 * plain JavaScript could not.
 */
import { isBuiltin } from 'node:module';

/**
 * The names of the modules, without `node:`. Clocks, timers and randomness are not among them: they
 * come from sessions.
 */
const HARMLESS: ReadonlySet<string> = new Set([
  'assert',
  'assert/strict',
  'async_hooks',
  'buffer',
  'diagnostics_channel',
  'events',
  'path',
  'path/posix',
  'path/win32',
  'punycode',
  'querystring',
  'stream',
  'stream/consumers',
  'stream/promises',
  'stream/web',
  'string_decoder',
  'sys',
  'url',
  'util',
  'util/types',
  'zlib',
]);

/**
 * The name of one of Node's own modules, without `node:`; `undefined` if the specifier leads to
 * something else.
 */
export function builtinName(specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return specifier.slice('node:'.length);
  return isBuiltin(specifier) ? specifier : undefined;
}

/** Whether one of Node's own modules, by its name without `node:`, gives no authority. */
export function isHarmless(builtin: string): boolean {
  return HARMLESS.has(builtin);
}

/** Whether this is one of Node's own modules, by its name without `node:`, and gives authority. */
export function isHostModule(builtin: string): boolean {
  return (isBuiltin(builtin) || isBuiltin(`node:${builtin}`)) && !isHarmless(builtin);
}
