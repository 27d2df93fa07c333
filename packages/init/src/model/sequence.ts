import {
  attribute,
  type ConfigError,
  ConfigNode,
  element,
  formatPosition,
  inspectConfig,
} from '@ginit/core/config';
import type { ConfigWarning } from '../warning.ts';
import type { InitConfig, Quota, StartNode } from './init-config.ts';
import { readInitConfig } from './read.ts';
import { START_SCHEMA, STEP_BOUNDS } from './schema.ts';

/*
 * The config of `sequence`: start nodes, whose children run one after another. Each step is read as
 * a config of init with one start node: everything that the child asks for goes to the parent.
 */

/** The parts of a start node that say what the child is, and where it runs. */
const ATTRIBUTES = ['version', 'heap', 'isolation', 'domain'] as const;
const CHILDREN: readonly string[] = ['binary', 'config', 'configfile', 'heartbeat', 'host', 'allow'];

const STEP_SCHEMA = element('start', 'A child; the next one is started when it has exited', {
  attributes: {
    name: attribute.text('The part of the label of this child', { required: true }),
    ...Object.fromEntries(ATTRIBUTES.map((name) => [name, START_SCHEMA.attributes[name]])),
    ram: attribute.bytes('Quota of memory for dataspaces and sessions', {
      otherwise: 'all that the sequence has and does not keep',
    }),
    caps: attribute.integer('Quota of capabilities', {
      min: 0,
      otherwise: 'all that the sequence has and does not keep',
    }),
    jail: attribute.oneOf('Whether its process is jailed', ['no', 'required'], {
      otherwise: 'jailed if the host can do that',
    }),
    ...STEP_BOUNDS,
  },
  children: START_SCHEMA.children.filter(({ type }) => CHILDREN.includes(type)),
});

/** The schema of the config of `sequence`. */
export const SEQUENCE_SCHEMA = element('config', 'Children that run one after another', {
  attributes: {
    repeat: attribute.boolean('Begin again when the last child has exited', { fallback: false }),
    keep_going: attribute.boolean('Go on when a child has failed', { fallback: false }),
    restart: attribute.boolean('With keep_going: go on from the first child, not with the next', {
      fallback: false,
    }),
  },
  children: [STEP_SCHEMA],
});

/** What comes after a child. */
export interface SequenceOptions {
  readonly repeat: boolean;
  readonly keepGoing: boolean;
  readonly restart: boolean;
}

/** The config of a sequence, with everything that is wrong with it. */
export interface SequenceReading {
  readonly options: SequenceOptions;
  /** A config with one start node for each step. */
  readonly steps: readonly InitConfig[];
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly ConfigWarning[];
}

/** Reads the config of a sequence; `left` is the quota for a child that says nothing of its own. */
export function readSequenceConfig(node: ConfigNode, left: Quota): SequenceReading {
  const { config, errors: inForm } = inspectConfig(node, SEQUENCE_SCHEMA);
  // A step has the errors of its own elements as well, which are told once.
  const errors = new Map(inForm.map((error) => [error.message, error]));
  const warnings: ConfigWarning[] = [];
  const steps: InitConfig[] = [];
  const byName = new Map<string, StartNode>();
  for (const start of node.childrenOf('start')) {
    const step = readInitConfig(stepNode(node, start, left));
    for (const error of step.errors) errors.set(error.message, error);
    warnings.push(...step.warnings);
    const [child] = step.config.starts;
    if (!child) continue;
    steps.push({ ...step.config, everyParentService: true });
    const first = byName.get(child.name);
    if (!first) byName.set(child.name, child);
    else if (first.binary.name !== child.binary.name) {
      const place = formatPosition(first.position);
      const text = `start node "${child.name}" has another binary at ${place}: give this one another name`;
      const error = start.errorAt(text, 'name');
      errors.set(error.message, error);
    }
  }
  const { repeat, keep_going: keepGoing, restart } = config;
  return { options: { repeat, keepGoing, restart }, steps, errors: [...errors.values()], warnings };
}

const ROUTE = ConfigNode.make('default-route', {}, [
  ConfigNode.make('any-service', {}, [ConfigNode.make('parent')]),
]);

function stepNode({ position }: ConfigNode, start: ConfigNode, { ram, caps }: Quota): ConfigNode {
  const children = [ROUTE, ConfigNode.make('default', { ram, caps }), start];
  return new ConfigNode('config', { position, children });
}
