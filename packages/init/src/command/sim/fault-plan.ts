/**
 * A fault plan: what is to go wrong in a simulated run. Which of it goes wrong when is up to the
 * seed.
 *
 *     <faults>
 *       <crash component="init -> cache" within="5000" count="2"/>
 *       <stall within="5000" ms="200"/>
 *       <power-cut within="5000" torn="yes"/>
 *       <io-error within="5000" of="write"/>
 *     </faults>
 */
import { readFileSync } from 'node:fs';
import {
  attribute,
  ConfigError,
  type ConfigOf,
  element,
  readConfig,
  readNode,
  validate,
} from '@ginit/core/config';
import {
  type FaultPlan,
  HOSTILE_PLACES,
  HOSTILE_ROLES,
  HOSTILE_STEPS,
  HOSTILE_WAYS,
  type PlannedFault,
} from '@ginit/simulator';

const timing = {
  within: attribute.integer('It happens before so many tasks have run, at one that the seed picks', {
    required: true,
    min: 1,
    max: 1_000_000_000,
  }),
  count: attribute.integer('How often', { min: 1, max: 1000, fallback: 1 }),
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
] as const;

const perMille = (what: string) =>
  attribute.integer(`How many of a thousand messages ${what}`, { min: 0, max: 900, fallback: 0 });

const busFaults = [
  element('bus-trouble', 'The bus treats messages badly for a while (needs --carriers bus)', {
    attributes: {
      lost: perMille('are lost'),
      doubled: perMille('come twice'),
      delayed: perMille('are late, with those behind them'),
      reordered: perMille('are overtaken by those behind them'),
      delay_ms: attribute.integer('How late at most', { min: 1, max: 60_000, fallback: 1000 }),
      ms: attribute.integer('For how long', { required: true, min: 1, max: 86_400_000 }),
      ...timing,
    },
  }),
  element('partition', 'The machine of a component does not reach the others (needs --carriers bus)', {
    attributes: {
      ...whom,
      ms: attribute.integer('For how long', { required: true, min: 1, max: 86_400_000 }),
      ...timing,
    },
  }),
] as const;

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
] as const;

/** The shape of a fault plan. */
export const FAULT_PLAN_SCHEMA = element('faults', 'What goes wrong in a simulated run', {
  children: [
    element('crash', 'A component crashes', {
      attributes: {
        ...whom,
        process: attribute.boolean('With all components of its process', { fallback: false }),
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
    element('silence', 'A component answers no heartbeat for a while, and does everything else', {
      attributes: {
        ...whom,
        ms: attribute.integer('For how long', { required: true, min: 1, max: 86_400_000 }),
        ...timing,
      },
    }),
    element('yield', 'A component that can be asked for quota is asked to give some back', {
      attributes: {
        ...whom,
        ram: attribute.bytes('How much memory', { fallback: 0 }),
        caps: attribute.integer('How many capabilities', { min: 0, fallback: 0 }),
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
        torn: attribute.boolean('Sectors may be left half written', { fallback: false }),
        ...timing,
      },
    }),
    ...diskFaults,
    ...memoryFaults,
    ...busFaults,
    element('config', 'The system gets another config', {
      attributes: {
        file: attribute.text('Its file, beside that of the plan', { required: true }),
        ...timing,
      },
    }),
    element('restart', 'Somebody restarts a component, as `ginit restart` does', {
      attributes: { ...whom, ...timing },
    }),
    element('kill', 'Somebody ends a component at once, as `ginit kill` does', {
      attributes: { ...whom, ...timing },
    }),
    element('hostile', 'A component does not keep to the protocol with its parent, at the next occasion', {
      attributes: {
        ...whom,
        as: attribute.oneOf('In which role; one that the seed picks if it is not said', HOSTILE_ROLES),
        step: attribute.oneOf('At which step; one that the seed picks if it is not said', HOSTILE_STEPS),
        how: attribute.oneOf('In which way; one that the seed picks if it is not said', HOSTILE_WAYS),
        ms: attribute.integer('It is late by so much at most', {
          min: 1,
          max: 86_400_000,
          fallback: 20_000,
        }),
        ...timing,
      },
    }),
  ],
});

/**
 * A fault plan, and the files of the configs that it gives to the running system, by their index.
 */
export interface FaultPlanReading {
  readonly plan: FaultPlan;
  readonly configFiles: readonly string[];
}

/**
 * Reads a plan. A list of strings as the result says what is wrong with it, each with its place.
 */
export function readFaultPlan(
  file: string,
  text?: string,
): FaultPlanReading | { readonly errors: readonly string[] } {
  let source: Uint8Array;
  try {
    source = text === undefined ? readFileSync(file) : new TextEncoder().encode(text);
  } catch {
    return { errors: [`ginit: the fault plan ${file} cannot be read`] };
  }
  try {
    const node = readNode(source, { name: file });
    const errors = validate(node, FAULT_PLAN_SCHEMA);
    if (errors.length > 0) return { errors: errors.map(({ message }) => message) };
    const faults = readConfig(node, FAULT_PLAN_SCHEMA).$content;
    const wrong = faults.flatMap((fault) => impossible(fault) ?? []);
    if (wrong.length > 0) return { errors: wrong.map(({ message }) => message) };
    const configFiles = [
      ...new Set(faults.flatMap((fault) => (fault.$type === 'config' ? [fault.file] : []))),
    ];
    return { plan: faults.map((fault) => readFault(fault, configFiles)), configFiles };
  } catch (error) {
    if (error instanceof ConfigError) return { errors: [error.message] };
    throw error;
  }
}

type FaultReading = ConfigOf<typeof FAULT_PLAN_SCHEMA>['$content'][number];

/**
 * Some steps are taken by clients only, and others by servers only. This finds faults that can
 * never happen for that reason.
 */
function impossible(fault: FaultReading): ConfigError | undefined {
  if (fault.$type !== 'hostile') return undefined;
  const { as, step } = fault;
  if (as === undefined || step === undefined) return undefined;
  if (HOSTILE_PLACES.some((place) => place.role === as && place.step === step)) return undefined;
  return fault.$node.errorAt(`a ${as} has no part in the step "${step}"`);
}

function readFault(fault: FaultReading, configFiles: readonly string[]): PlannedFault {
  const { within, count } = fault;
  const when = { within, count };
  switch (fault.$type) {
    case 'crash':
      return { kind: fault.$type, component: fault.component, process: fault.process, ...when };
    case 'stall':
      return { kind: fault.$type, component: fault.component, ms: fault.ms, ...when };
    case 'silence':
      return { kind: fault.$type, component: fault.component, ms: fault.ms, ...when };
    case 'yield':
      return { kind: fault.$type, component: fault.component, ram: fault.ram, caps: fault.caps, ...when };
    case 'clock-jump':
      return { kind: fault.$type, byS: fault.by_s, ...when };
    case 'power-cut':
      return { kind: fault.$type, torn: fault.torn, ...when };
    case 'io-error':
      return { kind: fault.$type, of: fault.of, ...when };
    case 'misdirect':
      return { kind: fault.$type, of: fault.of, ...when };
    case 'corrupt':
      return { kind: fault.$type, at: fault.at, ...when };
    case 'config':
      return { kind: fault.$type, index: configFiles.indexOf(fault.file), name: fault.file, ...when };
    case 'restart':
    case 'kill':
      return { kind: fault.$type, component: fault.component, ...when };
    case 'bus-trouble': {
      const { lost, doubled, delayed, reordered, delay_ms: delayMs, ms } = fault;
      const rates = { lostPerMille: lost, doubledPerMille: doubled, delayedPerMille: delayed };
      return { kind: fault.$type, ...rates, reorderedPerMille: reordered, delayMs, ms, ...when };
    }
    case 'partition':
      return { kind: fault.$type, component: fault.component, ms: fault.ms, ...when };
    case 'out-of-memory':
      return { kind: fault.$type, component: fault.component, ...when };
    case 'out-of-quota':
      return { kind: fault.$type, component: fault.component, of: fault.of, ...when };
    case 'hostile': {
      const { component, as: role, step, how: way, ms } = fault;
      return { kind: fault.$type, component, role, step, way, ms, ...when };
    }
  }
}
