/**
 * The maps `exports` and `imports` of a package: they say which of its entries a name means under
 * some conditions. The algorithm is that of
 * https://nodejs.org/api/esm.html#resolution-algorithm-specification
 * (PACKAGE_IMPORTS_EXPORTS_RESOLVE, PACKAGE_TARGET_RESOLVE). Whatever this code refuses, Node
 * refuses as well.
 */
import { isRecord } from '@ginit/core';

/** A path segment that must not come from a map, in any spelling. */
const BAD_SEGMENT = /(?:^|[/\\])(?:\.|%2e|\.\.|\.%2e|%2e\.|%2e%2e|node_modules)(?:[/\\]|$)/i;

/**
 * The target of `subpath` (`.` or `./x`) in a package with these `exports`, relative to the
 * package; `undefined` if there is none.
 */
export function exportedTarget(
  exports: unknown,
  subpath: string,
  conditions: ReadonlySet<string>,
): string | undefined {
  const bySubpath = isRecord(exports) && Object.keys(exports).some((key) => key.startsWith('.'));
  if (bySubpath) return mapped(exports, subpath, conditions, false);
  return subpath === '.' ? choose(exports, undefined, conditions, false) : undefined;
}

/**
 * The meaning of a name like `#x` in a package with these `imports`: a path within the package, or
 * the name of another module.
 */
export function importedTarget(
  imports: unknown,
  name: string,
  conditions: ReadonlySet<string>,
): string | undefined {
  return isRecord(imports) ? mapped(imports, name, conditions, true) : undefined;
}

function mapped(
  map: Readonly<Record<string, unknown>>,
  name: string,
  conditions: ReadonlySet<string>,
  ofImports: boolean,
): string | undefined {
  if (Object.hasOwn(map, name) && !name.includes('*') && !name.endsWith('/'))
    return choose(map[name], undefined, conditions, ofImports);
  const [best] = Object.keys(map)
    .filter((key) => matches(key, name))
    .toSorted(bySpecificity);
  if (best === undefined) return undefined;
  const star = best.indexOf('*');
  const match = name.slice(star, name.length - (best.length - star - 1));
  return choose(map[best], match, conditions, ofImports);
}

function matches(key: string, name: string): boolean {
  const star = key.indexOf('*');
  if (star < 0 || key.lastIndexOf('*') !== star) return false;
  const before = key.slice(0, star);
  return (
    name.length >= key.length &&
    name !== before &&
    name.startsWith(before) &&
    name.endsWith(key.slice(star + 1))
  );
}

/** The longest beginning first, then the longest pattern. */
function bySpecificity(a: string, b: string): number {
  return b.indexOf('*') - a.indexOf('*') || b.length - a.length;
}

function choose(
  target: unknown,
  match: string | undefined,
  conditions: ReadonlySet<string>,
  ofImports: boolean,
): string | undefined {
  return chosen(target, match, conditions, ofImports) ?? undefined;
}

/**
 * The target that the conditions choose. `null` means that the entry is closed, or that Node does
 * not accept the target; `undefined` means that no condition holds.
 */
function chosen(
  target: unknown,
  match: string | undefined,
  conditions: ReadonlySet<string>,
  ofImports: boolean,
): string | null | undefined {
  if (typeof target === 'string') return expanded(target, match, ofImports);
  if (target === null) return null;
  if (Array.isArray(target)) {
    const found = target.map((one: unknown) => chosen(one, match, conditions, ofImports));
    // In a list the first usable target wins.
    return (
      found.find((one) => typeof one === 'string') ??
      (found.length === 0 ? null : found.find((one) => one === null))
    );
  }
  if (!isRecord(target)) return undefined;
  for (const [condition, inner] of Object.entries(target)) {
    if (condition !== 'default' && !conditions.has(condition)) continue;
    const found = chosen(inner, match, conditions, ofImports);
    if (found !== undefined) return found;
  }
  return undefined;
}

function expanded(target: string, match: string | undefined, ofImports: boolean): string | null {
  const whole = match === undefined ? target : target.replaceAll('*', match);
  if (!target.startsWith('./')) return ofImports && !/^\.\.\/|^\//.test(target) ? whole : null;
  return BAD_SEGMENT.test(target.slice(2)) || BAD_SEGMENT.test(match ?? '') ? null : whole;
}
