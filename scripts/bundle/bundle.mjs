// Bundles the compiled packages: loading a module costs Node more than running it, in each thread
// again. `bundle/` of a package looks like its `dist/`: every entry is at the same place, next to a
// few chunks with everything else. tsc's modules stay what users' TypeScript and the simulator see;
// package.json leads to the bundle under the condition `ginit-bundle`, which ginit sets for the
// processes and threads that it starts. Names are kept, and source maps lead back to the sources.
import {
  copyFileSync,
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { fingerprint, form, STAMP } from '../../packages/init/dist/command/form.js';
import { STOCK_MANIFESTS } from '../../packages/init/dist/command/stock.js';
import { splitIntoScript } from './script.mjs';
import { stockManifests } from './stock-manifests.mjs';
import { DECIDING_FILES, PACKAGES } from './packages.mjs';

const packages = fileURLToPath(new URL('../../packages/', import.meta.url));
const init = pathToFileURL(join(packages, 'init', sep));

/** Stands for the directory of the bundle until it is known which file of it the module is in. */
const BUNDLE_ROOT = '__ginit_bundle_root__/';
const OWN_URL = /\bimport\.meta\.url\b/g;
const IMPORT = /(?:^(?:import|export)(?:\b[^'"=();]*\bfrom)?\s*|\bimport\()['"](\.[^'"]+)['"]/gm;

const moduleOf = (dist, file) => relative(dist, file).replaceAll(sep, '/').slice(0, -'.js'.length);

/** Modules that the entry `from` leads to, itself left out. */
function reachable(dist, from) {
  const found = new Set([from]);
  for (const module of found) {
    const file = join(dist, `${module}.js`);
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(IMPORT))
      found.add(moduleOf(dist, join(dirname(file), specifier)));
  }
  found.delete(from);
  return found;
}

/** Groups of modules, first match first. */
function groupsOf(dist, chunks) {
  return chunks.map(({ name, reachedFrom }) => {
    const sets = reachedFrom.map((entry) => reachable(dist, entry));
    return { name, has: (module) => sets.every((set) => set.has(module)) };
  });
}

/** Another package of ours, by the bundled form of what its name leads to. */
function bundledSpecifier(specifier) {
  const found = PACKAGES.find(({ name }) => specifier === name || specifier.startsWith(`${name}/`));
  if (!found) return undefined;
  const { exports } = JSON.parse(readFileSync(join(packages, found.directory, 'package.json'), 'utf8'));
  const target = exports[specifier.replace(found.name, '.')]?.['ginit-bundle'];
  const module = target?.slice('./bundle/'.length, -'.js'.length) ?? specifier.slice(found.name.length + 1);
  return `${found.name}/bundle/${module}`;
}

/** A module sees itself where it would be in a `dist/` that were the bundle. */
function placeModules(dist, scripts) {
  return {
    name: 'place modules',
    load(id) {
      const map = `${id}.map`;
      if (!id.startsWith(dist) || !existsSync(map)) return null;
      const own = JSON.stringify(BUNDLE_ROOT + relative(dist, id).replaceAll(sep, '/'));
      const code = readFileSync(id, 'utf8').replaceAll(OWN_URL, `new URL(${own}, import.meta.url).href`);
      return { code, map: JSON.parse(readFileSync(map, 'utf8')) };
    },
    generateBundle(_options, files) {
      for (const file of Object.values(files)) {
        const root = relative(dirname(file.fileName), '.');
        if (file.type === 'chunk')
          file.code = file.code.replaceAll(BUNDLE_ROOT, root === '' ? './' : `${root}/`);
      }
      for (const file of Object.values(files).filter(({ name }) => scripts.has(name))) {
        const { file: scriptFile, script, module } = splitIntoScript(file.code, file.fileName);
        const map = `\n//# sourceMappingURL=${basename(file.fileName)}.map\n`;
        this.emitFile({
          type: 'asset',
          fileName: join(dirname(file.fileName), scriptFile),
          source: script + map,
        });
        file.code = module;
      }
    },
  };
}

/**
 * Modules of other packages stay imports, unless they are inlined; so do modules that are not
 * bundled.
 */
function leaveOutside(dist, { outside, inlined = {} }) {
  return {
    name: 'leave outside',
    resolveId(specifier, importer) {
      if (importer === undefined) return null;
      if (Object.hasOwn(inlined, specifier))
        return realpathSync(join(dist, '../node_modules', inlined[specifier]));
      // Packages that are inlined bring along what they import.
      if (!importer.startsWith(dist)) return null;
      if (!specifier.startsWith('.')) return { id: bundledSpecifier(specifier) ?? specifier, external: true };
      const module = moduleOf(dist, join(dirname(importer), specifier));
      return outside?.test(module) ? { id: `${BUNDLE_ROOT}../dist/${module}.js`, external: true } : null;
    },
  };
}

async function buildBundle(made, dist, description, { entries, chunks = [] }) {
  const groups = groupsOf(dist, chunks);
  const scripts = new Set(chunks.filter(({ script }) => script).map(({ name }) => name));
  const chunkOf = (id) => {
    const module = moduleOf(dist, id);
    return groups.find(({ has }) => has(module))?.name ?? null;
  };
  const build = await rolldown({
    input: Object.fromEntries(entries(dist).map((entry) => [entry, join(dist, `${entry}.js`)])),
    platform: 'neutral',
    plugins: [leaveOutside(dist, description), placeModules(dist, scripts)],
  });
  await build.write({
    dir: made,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    sourcemap: true,
    minify: false,
    comments: { legal: true, annotation: false, jsdoc: false },
    minifyInternalExports: false,
    // Without chunks what is imported late comes along as well: nothing of a file is loaded twice.
    codeSplitting: chunks.length > 0 && { groups: [{ name: chunkOf, debugName: 'what runs together' }] },
  });
  await build.close();
}

/**
 * Puts the licence of an inlined package beside the bundle; of one without a file of it, what its
 * package.json says.
 */
function copyLicence(modules, path, made) {
  const [name, inner] = path.split(' > ');
  const outer = realpathSync(join(modules, name));
  const source = inner === undefined ? outer : join(outer, '..', inner);
  const target = join(made, `LICENSE.${inner ?? name}`);
  if (existsSync(join(source, 'LICENSE'))) return copyFileSync(join(source, 'LICENSE'), target);
  const { version, license, author, repository } = JSON.parse(
    readFileSync(join(source, 'package.json'), 'utf8'),
  );
  const from = repository?.url ?? repository;
  writeFileSync(target, `${name} ${version}: licence ${license}, by ${author?.name ?? author} (${from})\n`);
}

/** Makes the bundles of a package; the result puts them in their place. */
async function bundlePackage(description) {
  const root = join(packages, description.directory);
  const dist = join(root, 'dist', sep);
  // Nobody sees half of a bundle.
  const [installed, made, old] = ['', `.new-${process.pid}`, `.old-${process.pid}`].map((state) =>
    join(root, `bundle${state}`),
  );
  for (const each of description.bundles) await buildBundle(made, dist, description, each);
  for (const path of description.licences ?? []) copyLicence(join(root, 'node_modules'), path, made);
  return () => {
    if (existsSync(installed)) renameSync(installed, old);
    renameSync(made, installed);
    rmSync(old, { recursive: true, force: true });
  };
}

/** Makes the bundles of all packages, unless they are there and of what is compiled. */
export async function bundle() {
  if (form(init) === 'bundle') return;
  const stamp = fingerprint(pathToFileURL(packages), DECIDING_FILES);
  // From here on, and until all are there, none is used.
  rmSync(new URL(`bundle/${STAMP}`, init), { force: true });
  const [manifests, ...installs] = await Promise.all([stockManifests(), ...PACKAGES.map(bundlePackage)]);
  for (const install of installs) install();
  writeFileSync(new URL(`bundle/${STOCK_MANIFESTS}`, init), manifests);
  writeFileSync(new URL(`bundle/${STAMP}`, init), `${JSON.stringify(stamp)}\n`);
}
