/**
 * A fault plan: what is to go wrong in a simulated run. Which of it goes wrong when is up to the seed.
 *
 *     <faults>
 *       <crash component="init -> cache" within="5000" count="2"/>
 *       <stall within="5000" ms="200"/>
 *       <power-cut within="5000" torn="yes"/>
 *       <io-error within="5000" of="write"/>
 *     </faults>
 */
import { readFileSync } from 'node:fs';
import { attribute, ConfigError, type ConfigNode, element, validate } from '@ginit/core';
import { readXml } from '../../xml/index.ts';
import type { DiskFault } from './disk-faults.ts';

const timing = {
  within: attribute.integer('It happens before so many tasks have run, at one that the seed picks', {
    required: true,
    min: 1,
    max: 1_000_000_000,
  }),
  count: attribute.integer('How often', { min: 1, max: 1000, fallback: '1' }),
};

const whom = {
  component: attribute.text('Its label, as in the log; one that the seed picks if there is none'),
};

const diskFaults = [
  element('io-error', 'A request to a disk fails', {
    attributes: {
      of: attribute.oneOf('Which request', ['read', 'write', 'sync'], { required: true }),
      ...timing,
    },
  }),
  element('misdirect', 'A request to a disk goes to another sector', {
    attributes: { of: attribute.oneOf('Which request', ['read', 'write'], { required: true }), ...timing },
  }),
  element('corrupt', 'A bit of what is read from a disk has flipped', {
    attributes: {
      at: attribute.oneOf('On its way to the reader, or where it is stored', ['read', 'rest'], {
        fallback: 'rest',
      }),
      ...timing,
    },
  }),
];

const memoryFaults = [
  element('out-of-memory', 'The heap of a component is full, which ends its process', {
    attributes: { ...whom, ...timing },
  }),
  element('out-of-quota', 'An allocation of quota is refused', {
    attributes: {
      ...whom,
      of: attribute.oneOf('Which quota', ['ram', 'caps'], { fallback: 'ram' }),
      ...timing,
    },
  }),
];

/** The shape of a fault plan. */
export const faultPlanSchema = element('faults', 'What goes wrong in a simulated run', {
  children: [
    element('crash', 'A component crashes', {
      attributes: {
        ...whom,
        process: attribute.boolean('With all components of its process', { fallback: 'no' }),
        ...timing,
      },
    }),
    element('stall', 'A component has no turn for a while', {
      attributes: {
        ...whom,
        ms: attribute.integer('For how long', { required: true, min: 1, max: 86_400_000 }),
        ...timing,
      },
    }),
    element('clock-jump', 'The wall clock jumps', {
      attributes: {
        by_s: attribute.integer('Seconds, back if negative', { required: true, min: -1e9, max: 1e9 }),
        ...timing,
      },
    }),
    element('power-cut', 'Disks lose what was not synced, and the components that have them open crash', {
      attributes: {
        torn: attribute.boolean('Sectors may be left half written', { fallback: 'no' }),
        ...timing,
      },
    }),
    ...diskFaults,
    ...memoryFaults,
  ],
});

/** One fault, as often as it happens. */
export type PlannedFault = { readonly within: number; readonly count: number } & (
  | { readonly kind: 'crash'; readonly component: string | undefined; readonly process: boolean }
  | { readonly kind: 'stall'; readonly component: string | undefined; readonly ms: number }
  | { readonly kind: 'clock-jump'; readonly byS: number }
  | { readonly kind: 'power-cut'; readonly torn: boolean }
  | DiskFault
  | { readonly kind: 'out-of-memory'; readonly component: string | undefined }
  | { readonly kind: 'out-of-quota'; readonly component: string | undefined; readonly of: 'ram' | 'caps' }
);

/** All of a plan. */
export type FaultPlan = readonly PlannedFault[];

/** Reads a plan; strings say what is wrong with it, each with its place. */
export function readFaultPlan(
  file: string,
): { readonly plan: FaultPlan } | { readonly errors: readonly string[] } {
  let source: Uint8Array;
  try {
    source = readFileSync(file);
  } catch {
    return { errors: [`ginit: the fault plan ${file} cannot be read`] };
  }
  try {
    const node = readXml(source, file);
    const errors = validate(node, faultPlanSchema);
    if (errors.length > 0) return { errors: errors.map(({ message }) => message) };
    return { plan: node.children.map(readFault) };
  } catch (error) {
    if (error instanceof ConfigError) return { errors: [error.message] };
    throw error;
  }
}

function readFault(node: ConfigNode): PlannedFault {
  const when = { within: node.integer('within'), count: node.integer('count', 1) };
  const component = node.value('component');
  switch (node.type) {
    case 'crash':
      return { kind: 'crash', component, process: node.boolean('process', false), ...when };
    case 'stall':
      return { kind: 'stall', component, ms: node.integer('ms'), ...when };
    case 'clock-jump':
      return { kind: 'clock-jump', byS: node.integer('by_s'), ...when };
    case 'io-error':
      return { kind: 'io-error', of: node.oneOf('of', ['read', 'write', 'sync']), ...when };
    case 'misdirect':
      return { kind: 'misdirect', of: node.oneOf('of', ['read', 'write']), ...when };
    case 'corrupt':
      return { kind: 'corrupt', at: node.oneOf('at', ['read', 'rest'], 'rest'), ...when };
    case 'out-of-memory':
      return { kind: 'out-of-memory', component, ...when };
    case 'out-of-quota':
      return { kind: 'out-of-quota', component, of: node.oneOf('of', ['ram', 'caps'], 'ram'), ...when };
    default:
      return { kind: 'power-cut', torn: node.boolean('torn', false), ...when };
  }
}
