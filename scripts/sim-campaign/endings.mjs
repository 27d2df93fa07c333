/**
 * The system of the campaign on endings: inits in inits, honest servers and clients on every level,
 * and among them servers and clients that the fault plan makes hostile. Everybody crashes and is
 * started again; the honest must come to an end with their work, and have all that is theirs.
 */
import { fileURLToPath } from 'node:url';

const RESTART = '<restart max="1000" period_s="10000"/>';
const binary = (name) =>
  `<binary name="${fileURLToPath(new URL(`./endings/${name}.mjs`, import.meta.url))}"/>`;

function start(name, program, more = '', attributes = '') {
  return `<start name="${name}" ${attributes}> ${binary(program)} ${RESTART} ${more} </start>`;
}
const provides = (service) => `<provides> <service name="${service}"/> </provides>`;
const buyer = (name) => start(name, 'buyer', `<config name="${name}"/>`);

/** An init: its children use what is there, and what is not comes from above. */
function init(name, quota, services, children) {
  return `<start name="${name}" ${quota}> <binary name="init"/> ${RESTART}
    <config> ${preamble(services)} ${children.join('\n')} </config>
  </start>`;
}

function preamble(services) {
  const all = ['ROM', 'LOG', 'PD', 'CPU', 'Timer', ...services];
  return `<parent-provides> ${all.map((name) => `<service name="${name}"/>`).join(' ')} </parent-provides>
    <default-route> <any-service> <any-child/> <parent/> </any-service> </default-route> <default caps="200" ram="1M"/>`;
}

const inner = init(
  'inner',
  'ram="12M" caps="2000"',
  ['Judge'],
  [
    start('shop', 'shop', provides('Shop')),
    buyer('c'),
    start('thief', 'thief'),
    start('den', 'den', provides('Den')),
    start('guest', 'guest'),
  ],
);
const mid = init(
  'mid',
  'ram="24M" caps="4000"',
  ['Judge', 'Shop', 'Den'],
  [buyer('b'), start('guest', 'guest'), inner],
);
const NAMES = ['a', 'b', 'c'];

/** The config. */
export const CONFIG = `<config> ${preamble([])}
  ${start('judge', 'judge', `${provides('Judge')} <exit propagate="yes"/> <config names="${NAMES.join(' ')}"/>`)}
  ${start('shop', 'shop', provides('Shop'))}
  ${buyer('a')}
  ${start('thief', 'thief')}
  ${start('den', 'den', provides('Den'))}
  ${mid}
</config>
`;

const crash = (label, count, within = 1800) =>
  `<crash component="init -> ${label}" within="${within}" count="${count}"/>`;
const turn = (label, role, count) =>
  `<hostile component="init -> ${label}" as="${role}" within="1500" count="${count}" ms="30000"/>`;

/** Whoever may be is hostile, and everybody but the judge dies, in any order. */
export const PLAN = `<faults>
  ${crash('mid', 1)} ${crash('mid -> inner', 1)} ${crash('shop', 2)} ${crash('mid -> inner -> shop', 2)}
  ${crash('a', 1)} ${crash('mid -> b', 1)} ${crash('mid -> inner -> c', 1)}
  ${crash('den', 1)} ${crash('mid -> inner -> den', 1)} ${crash('thief', 1)} ${crash('mid -> inner -> thief', 1)}
  ${crash('mid -> guest', 1)} ${crash('mid -> inner -> guest', 1)}
  <stall within="1800" ms="50" count="2"/>
  <out-of-quota component="init -> shop" within="1500"/>
  ${turn('den', 'server', 4)} ${turn('den', 'client', 1)} ${turn('mid -> inner -> den', 'server', 4)}
  ${turn('thief', 'client', 4)} ${turn('mid -> inner -> thief', 'client', 4)}
</faults>
`;

/** Options of every run. */
export const OPTIONS = ['--ram', '128M', '--share-modules'];
