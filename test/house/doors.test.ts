/**
 * The doors of our packages: each name that they export has a doc comment, and none leads to inner
 * files.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMPONENT_DOORS } from '../../packages/init/src/command/component-imports.ts';
import { ROOT } from './source-files.ts';

const DECLARED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:class|function\*?|const|let|interface|type|enum) ([A-Za-z_$][\w$]*)/gm;
const ALL_OF = /^export \* from '(\.[^']+)'/gm;
const SOME_OF = /^export (?:type )?\{([^}]*)\} from '(\.[^']+)'/gm;

/**
 * The names that a module exports, and whether a doc comment stands right before their declaration.
 */
function exportsOf(file: string): Map<string, boolean> {
  const source = readFileSync(file, 'utf8');
  const found = new Map<string, boolean>();
  for (const match of source.matchAll(DECLARED)) {
    const documented = source.slice(0, match.index).endsWith('*/\n');
    const [, name = ''] = match;
    // Overloads and a type beside its value: one comment is enough, wherever it stands.
    found.set(name, documented || (found.get(name) ?? false));
  }
  const from = (specifier: string): Map<string, boolean> => exportsOf(join(dirname(file), specifier));
  for (const [, specifier = ''] of source.matchAll(ALL_OF)) {
    for (const [name, documented] of from(specifier)) found.set(name, documented);
  }
  for (const [, names = '', specifier = ''] of source.matchAll(SOME_OF)) {
    const there = from(specifier);
    for (const text of names.split(',').filter((part) => part.trim() !== '')) {
      const [own = '', given = own] = text
        .trim()
        .replace(/^type /, '')
        .split(' as ');
      found.set(given, there.get(own) ?? false);
    }
  }
  return found;
}

/** Doors of core by their names in package.json, without those that lead into the bundle. */
function doorsOfCore(): string[] {
  const content: unknown = JSON.parse(readFileSync(join(ROOT, 'packages/core/package.json'), 'utf8'));
  const doors: unknown = Reflect.get(Object(content), 'exports');
  return Object.keys(Object(doors))
    .filter((name) => name !== './bundle/*')
    .map((name) => (name === '.' ? 'index' : name.slice(2)));
}

/** Doors that lead to what confines components, or tests them. */
const NOT_FOR_COMPONENTS = ['nats', 'platform', 'supervisor', 'testing'];

describe('doors of @ginit/core', () => {
  test('the check of imports knows every door that is for components', () => {
    const forComponents = doorsOfCore().filter((door) => !NOT_FOR_COMPONENTS.includes(door));
    expect([...COMPONENT_DOORS].toSorted()).toEqual(forComponents.toSorted());
  });

  test.each(doorsOfCore())('every name that %s exports has a doc comment', (door) => {
    const names = exportsOf(join(ROOT, `packages/core/src/${door}.ts`));
    expect(names.size).toBeGreaterThan(0);
    const bare = [...names].filter(([, documented]) => !documented).map(([name]) => name);
    expect(bare).toEqual([]);
  });

  test('the author of a component is not asked to look through more than some seventy names', () => {
    expect(exportsOf(join(ROOT, 'packages/core/src/index.ts')).size).toBeLessThanOrEqual(80);
  });

  test('no name opens more than one door', () => {
    const homes = new Map<string, string[]>();
    for (const door of doorsOfCore()) {
      for (const name of exportsOf(join(ROOT, `packages/core/src/${door}.ts`)).keys()) {
        homes.set(name, [...(homes.get(name) ?? []), door]);
      }
    }
    expect([...homes].filter(([, doors]) => doors.length > 1)).toEqual([]);
  });
});
