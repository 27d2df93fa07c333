// Tries the samples of the manuals, and writes what they print into them. A sample is a block of
// code behind one of
//
//   <!-- file PROJECT/NAME -->                 a file, whole
//   <!-- starts of PROJECT/NAME -->            start nodes of a config, whose head is the one of most configs
//   <!-- output of PROJECT: COMMAND -->        what `ginit …` prints there (its exit code is 0)
//   <!-- output of PROJECT, exit code N: … --> the same, with another exit code
//   <!-- taken from PATH -->                   what stands word for word in a file of the repository, a test for instance
//
// The files of a project are put into a folder of its own, in which `@ginit/core` and `@ginit/init`
// are installed. If one of them is tsconfig.json, `tsc` compiles the project first. Every block of
// js, ts and xml must be a sample, so that none is untried.
//
// `npm run samples` writes the outputs (of the manuals that are named, or of all); with `--check`
// it says where the manuals differ from what was printed, and exits with 1. It runs what was built.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const FILES = ['docs/components.md', 'docs/configuration.md'];

const BLOCK =
  /(?:^<!-- (file|starts of|output of|taken from) (\S+?)(?:, exit code (\d+))?(?:: (.+?))? -->\n)?^```(\w*)\n([^]*?)^```$/gm;
/** Kinds of blocks that must be samples. */
const CODE = ['js', 'mjs', 'ts', 'xml', 'json'];
const TIMEOUT_MS = 120_000;

const HEAD = `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
  </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
  <default caps="100" ram="4M"/>
`;

/** A folder for the files of one project, with what an installation has put there. */
function makeProject() {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-sample-'));
  mkdirSync(join(directory, 'node_modules', '@ginit'), { recursive: true });
  mkdirSync(join(directory, 'node_modules', '@types'));
  for (const name of ['core', 'init']) {
    symlinkSync(join(ROOT, 'packages', name), join(directory, 'node_modules', '@ginit', name));
  }
  symlinkSync(
    join(ROOT, 'node_modules', '@types', 'node'),
    join(directory, 'node_modules', '@types', 'node'),
  );
  return { directory, compiled: false };
}

function run(directory, program, args) {
  return spawnSync(process.execPath, [program, ...args], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, NODE_PATH: undefined },
    timeout: TIMEOUT_MS,
    killSignal: 'SIGTERM',
  });
}

/** Compiles a project that says how, once. */
function compile(project, files) {
  if (project.compiled || !files.has('tsconfig.json')) return;
  const { status, stdout } = run(
    project.directory,
    join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'),
    [],
  );
  if (status !== 0) throw new Error(`tsc fails:\n${stdout}`);
  project.compiled = true;
}

/** Runs a command and returns its output; throws if its exit code is not `code`. */
function outputOf(directory, command, code) {
  const [name, ...args] = command.split(' ');
  if (name !== 'ginit') throw new Error(`"${command}" is no command of ginit`);
  const { status, stdout, stderr } = run(directory, join(ROOT, 'packages', 'init', 'bin', 'ginit.js'), args);
  if (status !== code) throw new Error(`"${command}" ends with ${status}:\n${stdout}${stderr}`);
  // `ginit check` writes to standard error only; elsewhere that depends on what the host can do.
  return args[0] === 'check' ? stderr : stdout;
}

const inOrder = (text) => text.split('\n').toSorted().join('\n');

/** The text of a manual as it should be. */
function current(text, projects) {
  const samples = [...text.matchAll(BLOCK)].map((match) => {
    const [whole, kind, place = '', code = '0', command, language, content] = match;
    if (kind === undefined && CODE.includes(language)) {
      throw new Error(`this block is no sample:\n${whole.slice(0, 200)}`);
    }
    if (kind === 'taken from' && !readFileSync(join(ROOT, place), 'utf8').includes(content)) {
      throw new Error(`this block does not stand in ${place}:\n${content.slice(0, 200)}`);
    }
    const [name, ...path] = place.split('/');
    return { whole, kind, name, file: path.join('/'), code: Number(code), command, content };
  });
  // All files first: a manual may show what runs before what it is made of.
  for (const { kind, name, file, content } of samples) {
    if (kind !== 'file' && kind !== 'starts of') continue;
    const project = (projects[name] ??= { ...makeProject(), files: new Set() });
    if (project.files.has(file)) throw new Error(`${name}/${file} is there twice`);
    project.files.add(file);
    const path = join(project.directory, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, kind === 'file' ? content : `${HEAD}${content}</config>\n`);
  }
  const outputs = samples.map(({ whole, kind, name, code, command, content }) => {
    if (kind !== 'output of') return whole;
    const project = projects[name];
    if (project === undefined) throw new Error(`there is no project "${name}"`);
    compile(project, project.files);
    const printed = outputOf(project.directory, command, code);
    // Lines of two components may come in another order.
    if (inOrder(printed) === inOrder(content)) return whole;
    return `${whole.slice(0, -content.length - 3)}${printed}\`\`\``;
  });
  for (const project of Object.values(projects)) compile(project, project.files);
  return text.replaceAll(BLOCK, () => outputs.shift());
}

const [, , ...words] = process.argv;
const check = words.includes('--check');
const named = words.filter((word) => !word.startsWith('-'));
for (const name of named.length > 0 ? named : FILES) {
  const file = join(ROOT, name);
  const text = readFileSync(file, 'utf8');
  const projects = {};
  try {
    const made = current(text, projects);
    if (made === text) continue;
    if (!check) writeFileSync(file, made);
    else {
      const lines = text.split('\n');
      const at = made.split('\n').findIndex((line, index) => line !== lines[index]);
      const difference = `it says "${lines[at]}", printed is "${made.split('\n')[at]}"`;
      console.error(`${name}:${at + 1}: ${difference} (npm run build && npm run samples)`);
      process.exitCode = 1;
    }
  } catch (error) {
    console.error(`${name}: ${error.message}`);
    process.exitCode = 1;
  } finally {
    for (const { directory } of Object.values(projects)) rmSync(directory, { recursive: true, force: true });
  }
}
