// Writes what the schemas of configs say into the manuals, between lines such as these (REFERENCE
// is the schema of the component with all that it may hold, else a table of the attributes of one
// element), and how many names the doors of a package export:
//
//   <!-- attributes of COMPONENT config/policy -->
//   <!-- reference of COMPONENT -->
//   <!-- doors of PACKAGE -->
//   <!-- end -->
//
// `npm run tables` writes; with `--check` it says which files are not current, and exits with 1. It
// reads what was built.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { attributeTable, elementReference } from '../packages/core/dist/config/index.js';
import { stockModule } from '../packages/init/dist/command/stock.js';
import { doorTable } from './doors.mjs';

const ROOT = new URL('../', import.meta.url);

const FILES = [
  'docs/configuration.md',
  'packages/blockcache/README.md',
  'packages/core/README.md',
  'packages/init/README.md',
  'packages/init/src/sequence/README.md',
  'packages/os/src/dummy/README.md',
  'packages/os/src/dynamic_rom/README.md',
  'packages/os/src/framebuffer_png/README.md',
  'packages/block/src/block_tester/README.md',
  'packages/block/src/fault_block/README.md',
  'packages/block/src/file_block/README.md',
  'packages/os/src/fs_tool/README.md',
  'packages/os/src/fuse/README.md',
  'packages/os/src/host_rom/README.md',
  'packages/os/src/log_report/README.md',
  'packages/block/src/http_block/README.md',
  'packages/block/src/image_block/README.md',
  'packages/block/src/nbd_block/README.md',
  'packages/block/src/nbd_server/README.md',
  'packages/block/src/part_block/README.md',
  'packages/block/src/ram_block/README.md',
  'packages/block/src/rom_block/README.md',
  'packages/block/src/snapshot_block/README.md',
  'packages/block/src/vfs_block/README.md',
  'packages/os/src/ram_fs/README.md',
  'packages/os/src/trace_fs/README.md',
  'packages/os/src/vfs/README.md',
  'packages/os/src/report_rom/README.md',
  'packages/os/src/rom_filter/README.md',
  'packages/os/src/socket_terminal/README.md',
  'packages/rumpfs/README.md',
  'packages/simulator/README.md',
  'packages/vmm/README.md',
];

const REGION = /^<!-- (attributes|reference|doors) of (\S+)(?: (\S+))? -->\n(?:[^]*?\n)??<!-- end -->$/gm;

async function schemaOf(component) {
  const url = stockModule(component);
  if (url === undefined) throw new Error(`there is no component "${component}"`);
  const { default: exported } = await import(url);
  return exported.manifest.config;
}

/** The element at `path`, whose first name is that of the schema itself. */
function elementAt(schema, path) {
  const [root, ...names] = path.split('/');
  let found = schema.type === root ? schema : undefined;
  for (const name of names) found = found?.children?.find(({ type }) => type === name);
  if (found === undefined) throw new Error(`there is no element ${path}`);
  return found;
}

async function contentOf(kind, name, path) {
  if (kind === 'doors') return doorTable(name);
  const schema = await schemaOf(name);
  return kind === 'reference' ? elementReference(schema) : attributeTable(elementAt(schema, path));
}

async function current(text) {
  const regions = [...text.matchAll(REGION)];
  if (regions.length === 0) throw new Error('there is no place for a table');
  const made = [];
  for (const [region, kind, name, path] of regions) {
    const content = await contentOf(kind, name, path);
    const [head] = region.split('\n');
    made.push(`${head}\n${content}\n<!-- end -->`);
  }
  return text.replaceAll(REGION, () => made.shift());
}

const check = process.argv.includes('--check');
for (const name of FILES) {
  const file = fileURLToPath(new URL(name, ROOT));
  const text = readFileSync(file, 'utf8');
  const made = await current(text).catch((error) => {
    throw new Error(`${name}: ${error.message}`, { cause: error });
  });
  if (made === text) continue;
  if (check) {
    console.error(`${name} does not say what the schemas do: run "npm run tables"`);
    process.exitCode = 1;
  } else writeFileSync(file, made);
}
