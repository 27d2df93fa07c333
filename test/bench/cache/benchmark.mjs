/** `cache`: the directory alone, and hits and misses through a Block session. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GINIT, PARENT_PROVIDES } from '../harness/ginit-system.mjs';
import { toAttributes } from '../harness/settings.mjs';
import { showRatios } from './show.mjs';
import { BLOCK_BYTES, DEVICE_BLOCKS } from './workloads.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const MIB = 2 ** 20;
const DEVICE_MIB = (DEVICE_BLOCKS * BLOCK_BYTES) / MIB;
const PROVIDES = '<provides> <service name="Block"/> </provides>';
const routeTo = (server) =>
  `<route> <service name="Block"> <child name="${server}"/> </service> <any-service> <parent/> </any-service> </route>`;

/** A device in memory, a client, and a cache of so many MiB between them if there is to be one. */
function system(directory, name, { cacheMib, wide, settings }) {
  const cache =
    cacheMib === undefined
      ? ''
      : `
  <start name="cache" ram="${cacheMib + 24}M">
    <binary name="blockcache"/> ${PROVIDES} ${routeTo('device')}
    <config size="${cacheMib}M" tx_buf_size="4M"/>
  </start>`;
  const file = join(directory, `cache-${name}.xml`);
  writeFileSync(
    file,
    `<config>
${PARENT_PROVIDES}
  <default caps="100" ram="4M"/>
  <start name="device" ram="${DEVICE_MIB + 8}M">
    <binary name="ram_block"/> ${PROVIDES}
    <config size="${DEVICE_MIB}M" block_size="${BLOCK_BYTES}"/>
  </start>${cache}
  <start name="client" ram="16M">
    <binary name="${path('./client.mjs')}"/> <exit propagate="yes"/>
    ${routeTo(cache === '' ? 'device' : 'cache')}
    <config ${toAttributes({ ...settings, wide: wide ? 1 : 0 })}/>
  </start>
</config>
`,
  );
  return [process.execPath, GINIT, file];
}

function contenders({ directory, places, settings }) {
  const place = places.free ?? places.one;
  const ginit = (id, label, options) => ({
    id,
    label: `ginit, ${label}`,
    place,
    command: system(directory, id, { settings, ...options }),
  });
  const lookups = (policy) => ({
    id: `lookups-${policy}`,
    label: `the directory alone, ${policy}`,
    place: places.one,
    command: [process.execPath, path('./lookups.mjs'), policy, '65536', JSON.stringify(settings)],
  });
  return [
    lookups('auto'),
    lookups('lru'),
    ginit('hits', 'hits in a cache of 32 MiB', { cacheMib: 32, wide: false }),
    ginit('misses', 'misses of a cache of 8 MiB', { cacheMib: 8, wide: true }),
    ginit('none', 'the device without a cache', { wide: true }),
  ];
}

export const cache = {
  name: 'cache',
  title: 'hit ratios of the policies, lookups, and hits and misses of 4 KiB through a Block session',
  columns: { lookups: 'lookups, 1/s', x1: 'reads at 1, 1/s', x32: 'reads at 32, 1/s' },
  before: showRatios,
  contenders,
  figures: (median) => {
    const added = (key) => 1e6 / median('misses', key) - 1e6 / median('none', key);
    return {
      lookupsPerSecond: median('lookups-auto', 'lookups'),
      hitsPerSecond: median('hits', 'x32'),
      hitsOneByOnePerSecond: median('hits', 'x1'),
      missesPerSecond: median('misses', 'x32'),
      /**
       * What the cache adds to a request that it does not have, of the time between two answers.
       */
      missUs: added('x32'),
      missOneByOneUs: added('x1'),
    };
  },
  ratios: (median) => ({ hitsVsNoCache: median('hits', 'x32') / median('none', 'x32') }),
  aims: { hitsVsNoCache: 1 },
};
