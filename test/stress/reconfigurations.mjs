/**
 * Gives one running system many configs, one after the other, and looks whether it grows: memory,
 * descriptors, threads and processes of all that it consists of. The versions in turn change a
 * content, bring a client, start a server again with its clients, and take the client away.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProcessGroup } from './watch/group.mjs';
import { total } from './watch/processes.mjs';

const CORE = fileURLToPath(new URL('../../packages/core', import.meta.url));
/** The versions of one round: after a whole round the system is as before it. */
const ROUND = 4;
/** A version that is not applied within this time never will be. */
const APPLIED_MS = 300_000;
/** Memory that may be more at the end, beyond a share of it: V8 keeps garbage for a while. */
const GROWTH_MIB = 24;
const GROWTH_SHARE = 0.15;

const COMPONENTS = {
  'server.mjs': `import { component, rpc, session, text } from '@ginit/core';
export const Store = session('Store', { read: rpc({ args: [], result: text(64) }) });
export default component({ provides: [Store] }, (env) => {
  env.provide(Store, ({ label }) => ({ read: () => label.text }));
});`,
  'client.mjs': `import { component } from '@ginit/core';
import { Store } from './server.mjs';
export default component({ requires: [Store] }, async (env) => {
  const store = await env.connect(Store, { label: 'x' });
  await store.read();
});`,
  'witness.mjs': `import { component } from '@ginit/core';
export default component(async (env) => {
  const tell = (config) => env.log('version ' + config.value('tag'));
  env.config.onUpdate(tell);
  await tell(env.config.node);
});`,
};

const client = (name) => `<start name="${name}"> <binary name="./client.mjs"/>
    <route> <service name="Store"> <child name="server"/> </service> <any-service> <parent/> </any-service> </route> </start>`;

/** The config of one version. */
function configOf(version) {
  const step = version % ROUND;
  const restarts = Math.floor((version + 1) / ROUND);
  return `<config>
  <parent-provides> <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
  <default caps="100" ram="4M"/>
  <start name="server" version="${restarts}"> <binary name="./server.mjs"/> <provides> <service name="Store"/> </provides> </start>
  ${client('one')} ${step === 2 || step === 3 ? client('two') : ''}
  <start name="witness"> <binary name="./witness.mjs"/> <config tag="${version}"/> </start>
</config>
`;
}

/** So often it is looked whether what is more at the end stays so. */
const LOOKS = 10;

/** What a system holds at this moment. */
function holdingsOf(system) {
  const processes = system.processes();
  return {
    processes: processes.length,
    threads: total(processes, 'threads'),
    descriptors: total(processes, 'descriptors'),
    mib: Math.round(total(processes, 'rssMiB')),
  };
}

/** What is more at the end than at the beginning. */
function growth(first, last) {
  const kinds = ['processes', 'threads', 'descriptors'].filter((kind) => last[kind] > first[kind]);
  const mibMax = first.mib * (1 + GROWTH_SHARE) + GROWTH_MIB;
  return [...kinds, ...(last.mib > mibMax ? ['mib'] : [])].map(
    (kind) => `${kind}: ${first[kind]} at first, ${last[kind]} at last`,
  );
}

/**
 * What a system holds at the end. What is lost stays lost; what is passing is not there at each of
 * several looks.
 */
async function restingHoldings(system, first) {
  for (let looks = 1; ; looks++) {
    const holdings = holdingsOf(system);
    if (looks === LOOKS || growth(first, holdings).length === 0) return holdings;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/**
 * Runs it, at least two rounds. The result has the first and the last holdings, and what has grown
 * between them; the first are taken after a tenth of the versions, when all code has run.
 */
export async function reconfigureOften(times, say = () => {}) {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-reconfigurations-'));
  mkdirSync(join(directory, 'node_modules', '@ginit'), { recursive: true });
  symlinkSync(CORE, join(directory, 'node_modules', '@ginit', 'core'));
  for (const [name, text] of Object.entries(COMPONENTS)) writeFileSync(join(directory, name), text);
  const file = join(directory, 'config.xml');
  writeFileSync(file, configOf(0));
  let seen = -1;
  const system = new ProcessGroup([file], {
    cwd: directory,
    onLine: (line) => {
      const [, version] = /version (\d+)$/.exec(line) ?? [];
      if (version !== undefined) seen = Math.max(seen, Number(version));
    },
  });
  const applied = (version) =>
    system.until(() => seen >= version, APPLIED_MS, `version ${version} is never applied`);
  try {
    await applied(0);
    const warm = Math.max(ROUND, Math.floor(times / 10 / ROUND) * ROUND);
    const last = Math.max(2 * ROUND, Math.floor(times / ROUND) * ROUND);
    let first;
    for (let version = 1; version <= last; version++) {
      // At once, so that nobody sees half of it.
      writeFileSync(`${file}.next`, configOf(version));
      renameSync(`${file}.next`, file);
      system.signal('SIGHUP');
      await applied(version);
      if (version % ROUND !== 0 || (version !== warm && version !== last && version % 1000 !== 0)) continue;
      // What the last version has ended may take a moment to be gone.
      await new Promise((resolve) => setTimeout(resolve, 2000));
      const holdings = version === last ? await restingHoldings(system, first) : holdingsOf(system);
      say(`${version} of ${last}: ${JSON.stringify(holdings)}`);
      if (version === warm) first = holdings;
      if (version === last) return { versions: last, first, last: holdings, grown: growth(first, holdings) };
    }
    throw new Error('unreachable');
  } finally {
    system.signal('SIGTERM');
    await system.finished;
    rmSync(directory, { recursive: true, force: true });
  }
}
