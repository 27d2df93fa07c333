/** `spawn`: the time until components run, and the memory that each of them takes. */
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GINIT, PARENT_PROVIDES } from '../harness/ginit-system.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const measured = (count, ...command) => [process.execPath, path('./measure.mjs'), String(count), ...command];

/** The command that runs a system of `count` components; `binary` is the file of each. */
function ginit(directory, isolation, count, { jail = '', binary = () => path('./ready.mjs') } = {}) {
  const starts = Array.from(
    { length: count },
    (_, index) =>
      `  <start name="c${index}" isolation="${isolation}"${jail}> <binary name="${binary(index)}"/> </start>\n`,
  );
  const file = join(directory, `spawn-${++systems}.xml`);
  writeFileSync(
    file,
    `<config>\n${PARENT_PROVIDES}\n  <default caps="50" ram="1M"/>\n${starts.join('')}</config>\n`,
  );
  return measured(count, process.execPath, GINIT, file);
}

let systems = 0;

/** Files of their own for components: each is checked, and its manifest read, by itself. */
function differentFiles(directory) {
  const own = join(directory, 'different');
  mkdirSync(own, { recursive: true });
  const modules = join(own, 'node_modules');
  if (!existsSync(modules)) symlinkSync(path('../../../node_modules'), modules);
  return (index) => {
    const file = join(own, `ready-${index}.mjs`);
    copyFileSync(path('./ready.mjs'), file);
    return file;
  };
}

function contenders({ directory, places, quick }) {
  const place = places.free ?? places.one;
  const make = (id, label, command) => ({ id, label, place, command });
  const bare = (count, file) => measured(count, process.execPath, path(file), String(count));
  // A quick run only tests that the benchmark works; the ids are those of the real sizes.
  const sizeOf = (size) => (quick ? Math.ceil(size / 8) : size);
  const pair = (size, ours, isolation, theirs, file) => {
    const count = sizeOf(size);
    return [
      make(`${ours}-${size}`, `ginit, ${ours}: ${count}`, ginit(directory, isolation, count)),
      make(`${theirs}-${size}`, `bare ${theirs}: ${count}`, bare(count, file)),
    ];
  };
  return [
    ...[1, 10, 100].flatMap((size) => pair(size, 'threads', 'thread', 'workers', './workers.mjs')),
    ...[1, 10].flatMap((size) => pair(size, 'processes', 'process', 'forks', './forks.mjs')),
    ...[10].map((size) => {
      const count = sizeOf(size);
      const command = ginit(directory, 'thread', count, { binary: differentFiles(directory) });
      return make(`different-${size}`, `ginit, threads of different files: ${count}`, command);
    }),
    // Root init is jailed in both.
    ...[1, 10].map((size) => {
      const count = sizeOf(size);
      const command = ginit(directory, 'process', count, { jail: ' jail="no"' });
      return make(`open-${size}`, `ginit, processes without jail: ${count}`, command);
    }),
  ];
}

/** The cost of one more `kind`, from systems of two sizes. */
const each = (median, kind, few, many, figure) =>
  (median(`${kind}-${many}`, figure) - median(`${kind}-${few}`, figure)) / (many - few);

export const spawn = {
  name: 'spawn',
  title: 'components from the start of the command until all are ready',
  columns: { readyMs: 'all ready, ms', pssMib: 'memory of all (PSS), MiB', rssMib: 'RSS, MiB' },
  contenders,
  figures: (median) => {
    const ms = (id) => median(id, 'readyMs');
    return {
      threads1Ms: ms('threads-1'),
      threads10Ms: ms('threads-10'),
      threads100Ms: ms('threads-100'),
      /** Ten different binaries. */
      different10Ms: ms('different-10'),
      /** The time that the jail adds to the start of a process. */
      jailStartMs: ms('processes-1') - ms('open-1'),
      jailStart10Ms: ms('processes-10') - ms('open-10'),
      process1Ms: ms('processes-1'),
      processes10Ms: ms('processes-10'),
      workers1Ms: ms('workers-1'),
      workers10Ms: ms('workers-10'),
      workers100Ms: ms('workers-100'),
      fork1Ms: ms('forks-1'),
      forks10Ms: ms('forks-10'),
      threadMiB: each(median, 'threads', 10, 100, 'pssMib'),
      workerMiB: each(median, 'workers', 10, 100, 'pssMib'),
      processMiB: each(median, 'processes', 1, 10, 'pssMib'),
      forkMiB: each(median, 'forks', 1, 10, 'pssMib'),
      threadRssMiB: each(median, 'threads', 10, 100, 'rssMib'),
      processRssMiB: each(median, 'processes', 1, 10, 'rssMib'),
    };
  },
  ratios: (median) => {
    const ms = (id) => median(id, 'readyMs');
    const memory = (ours, theirs, few, many) =>
      each(median, theirs, few, many, 'pssMib') / each(median, ours, few, many, 'pssMib');
    return {
      threads10VsWorkers: ms('workers-10') / ms('threads-10'),
      threads100VsWorkers: ms('workers-100') / ms('threads-100'),
      process1VsFork: ms('forks-1') / ms('processes-1'),
      processes10VsForks: ms('forks-10') / ms('processes-10'),
      threadMemoryVsWorker: memory('threads', 'workers', 10, 100),
      processMemoryVsFork: memory('processes', 'forks', 1, 10),
    };
  },
  /** There are aims for figures but not for ratios: see docs/performance.md. */
  aims: {},
};
