// The doors of our packages, and what each exports: names of values and of types, found in the
// sources.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** Names that a module exports. */
function exportedNames(file, seen = new Set()) {
  const names = new Set();
  if (seen.has(file)) return names;
  seen.add(file);
  for (const statement of parseAst(readFileSync(file, 'utf8'), { lang: 'ts' }, file).body) {
    const { type, exported, source, declaration, specifiers = [] } = statement;
    if (type === 'ExportAllDeclaration') {
      if (exported) names.add(exported.name);
      else if (source.value.startsWith('.')) {
        for (const name of exportedNames(join(dirname(file), source.value), seen)) names.add(name);
      } else throw new Error(`${file} exports everything of ${source.value}`);
    } else if (type === 'ExportDefaultDeclaration') names.add('default');
    else if (type === 'ExportNamedDeclaration') {
      for (const each of specifiers) names.add(each.exported.name ?? each.exported.value);
      if (declaration) for (const name of declaredNames(declaration)) names.add(name);
    }
  }
  return names;
}

function declaredNames({ id, declarations = [] }) {
  return id ? [id.name] : declarations.map((each) => each.id.name);
}

const known = new Map();

/**
 * Doors of the package that `specifier` names, each with its names; undefined if it is none of
 * ours.
 */
export function doorsOf(specifier) {
  const [scope, name] = specifier.split('/');
  const folder = scope === '@ginit' ? name : scope;
  if (known.has(folder)) return known.get(folder);
  const manifest = join(ROOT, 'packages', folder, 'package.json');
  if (!existsSync(manifest)) return undefined;
  const { name: packageName, exports: doors = {} } = JSON.parse(readFileSync(manifest, 'utf8'));
  const found = new Map();
  for (const [door, target] of Object.entries(doors)) {
    const path = typeof target === 'string' ? target : target.default;
    // Patterns are no doors for people.
    if (door.includes('*')) continue;
    const source = path.replace('./dist/', './src/').replace(/\.js$/, '.ts');
    const names = exportedNames(join(ROOT, 'packages', folder, source));
    found.set(packageName + door.slice(1), names);
  }
  known.set(folder, found);
  return found;
}

/** A table of the doors of a package, with the number of names that each exports. */
export function doorTable(packageName) {
  const rows = [...doorsOf(packageName)].map(([door, names]) => `| \`${door}\` | ${names.size} |`);
  return ['| door | exported names |', '| --- | --- |', ...rows].join('\n');
}
