/**
 * Takes the types out of TypeScript as Node itself does: they are replaced by blanks, so that every
 * place stays the same.
 */
import * as nodeModule from 'node:module';

/** The source without its types; `undefined` if that cannot be done. */
export function strippedTypes(source: string): string | undefined {
  const strip: unknown = Reflect.get(nodeModule, 'stripTypeScriptTypes');
  if (typeof strip !== 'function') return undefined;
  try {
    const stripped: unknown = quietly(() => Reflect.apply(strip, undefined, [source]));
    return typeof stripped === 'string' ? stripped : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Runs `act` without Node's warning that this is experimental. The component's own thread is the
 * place for that warning.
 */
function quietly<T>(act: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return act();
  } finally {
    process.emitWarning = emitWarning;
  }
}
