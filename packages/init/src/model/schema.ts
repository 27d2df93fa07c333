import { attribute, element, policyElements, type TolerantConfigOf } from '@ginit/core/config';
import { HOST_DEPTH_DEFAULT, LIMITS } from '@ginit/core/system';
import { DEFAULT_ROUTE_SCHEMA, ROUTE_SCHEMA } from '../routing/schema.ts';

/*
 * The schema of init's own configuration: that of today's Genode, with the old spelling of quotas
 * (`<resource>`), and with the additions of ginit to `<start>`. Everything that Genode's init knows
 * is accepted here.
 */

const SERVICE_NAME = { name: attribute.name('Name of the service', { required: true }) };

const STEP_BOUND = 'A child that makes others wait so long and gets nothing done is ended';
const STEP_BOUND_RANGE = { min: 100, max: 3_600_000 } as const;
const STEP_CEILING = 'A child that makes others wait so long is ended, whatever it does';
const STEP_CEILING_RANGE = { min: 100, max: 86_400_000 } as const;

/**
 * The default bounds. A child that others wait for may make no progress for a few seconds, and may
 * take some minutes in all.
 */
export const STEP_BOUNDS = {
  step_bound_ms: attribute.integer(STEP_BOUND, { ...STEP_BOUND_RANGE, fallback: 5000 }),
  step_ceiling_ms: attribute.integer(STEP_CEILING, { ...STEP_CEILING_RANGE, fallback: 300_000 }),
};

const CHILD_STEP_BOUNDS = {
  step_bound_ms: attribute.integer(STEP_BOUND, { ...STEP_BOUND_RANGE, otherwise: 'that of <config>' }),
  step_ceiling_ms: attribute.integer(STEP_CEILING, { ...STEP_CEILING_RANGE, otherwise: 'that of <config>' }),
};

/** The schema of a `<host>`. */
export const HOST_SCHEMA = element(
  'host',
  'What of the host the component may use; only drivers ask for it',
  {
    max: 1,
    attributes: {
      depth: attribute.integer('Operations on it that run at a time, in a process of its own', {
        otherwise: `${HOST_DEPTH_DEFAULT}`,
        min: 1,
        max: LIMITS.hostDepth,
      }),
    },
    children: [
      element('file', 'A file', {
        attributes: {
          path: attribute.text('Relative to the config file', { required: true }),
          access: attribute.oneOf('Read only, or read and write', ['ro', 'rw'], { fallback: 'ro' }),
        },
      }),
      element('directory', 'A directory with all that is in it', {
        attributes: {
          path: attribute.text('Relative to the config file', { required: true }),
          access: attribute.oneOf('Read only, or read and write', ['ro', 'rw'], { fallback: 'ro' }),
        },
      }),
      element('tcp', 'One address to listen on or to connect to', {
        attributes: {
          listen: attribute.text('ADDRESS:PORT to accept connections on'),
          connect: attribute.text('HOST:PORT to connect to'),
        },
      }),
      element('unix', 'A socket in the file system, to listen on or to connect to', {
        attributes: {
          listen: attribute.text('Path to accept connections at'),
          connect: attribute.text('Path to connect to'),
        },
      }),
      element('program', 'A program to run, with any arguments', {
        attributes: { path: attribute.text('Relative to the config file', { required: true }) },
      }),
      element('mount', 'A directory where a file system is mounted', {
        attributes: { path: attribute.text('Relative to the config file', { required: true }) },
      }),
      element('device', 'A device file', {
        attributes: {
          path: attribute.text('Such as /dev/kvm', { required: true }),
          access: attribute.oneOf('Read only, or read and write', ['ro', 'rw'], { fallback: 'rw' }),
        },
      }),
    ],
  },
);

/** The schema of a `<start>`. */
export const START_SCHEMA = element('start', 'A child', {
  attributes: {
    name: attribute.text('Unique among the children', { required: true }),
    version: attribute.text('A change of it restarts the child'),
    ram: attribute.bytes('Quota of memory for dataspaces and sessions', { otherwise: 'that of <default>' }),
    caps: attribute.integer('Quota of capabilities', { min: 0, otherwise: 'that of <default>' }),
    heap: attribute.bytes("Bound of the child's JavaScript heap", { min: LIMITS.heapBytesMin }),
    priority: attribute.integer('0 or less; the lower, the less urgent', { max: 0, fallback: 0 }),
    managing_system: attribute.boolean('PD sessions of the child, and through it, may say that they manage', {
      fallback: false,
    }),
    ld: attribute.boolean('With no, the ROM ld.lib.so is the binary; there is no dynamic linker here', {
      fallback: true,
    }),
    isolation: attribute.oneOf(
      'Where the child runs; "jail" is a process that is surely jailed',
      ['thread', 'process', 'jail'],
      { otherwise: 'process for a driver without a domain, else thread' },
    ),
    jail: attribute.oneOf('Whether its process is jailed', ['no', 'required'], {
      otherwise: 'that of <config>, else jailed if the host can do that',
    }),
    domain: attribute.text('The domain process of a child with isolation="thread"', { otherwise: 'main' }),
    node: attribute.text('The node of the cluster to run on, or "any" for one that has room', {
      otherwise: 'the machine of who starts it',
    }),
    reattach: attribute.boolean(
      'The child is handed new sessions in the place of those that lose their servers, if it can take them',
      { fallback: false },
    ),
    replace: attribute.oneOf(
      'When another instance takes its place: with "ready" only when that offers all of its services',
      ['ready'],
    ),
    ram_limit: attribute.bytes('Up to this init grants requests for more memory by itself'),
    ...CHILD_STEP_BOUNDS,
  },
  children: [
    element('binary', 'The component to run; without it, the one with the name of the child', {
      attributes: {
        name: attribute.text('Short name, path or package', { required: true }),
      },
      max: 1,
    }),
    element('node', 'A label that the node must have; the child runs on any node that has all of them', {
      attributes: { label: attribute.text('Such as gpu, or zone=eu', { required: true }) },
    }),
    element('attach', 'The child is attached from another machine, with the code that is there', {
      attributes: { key: attribute.text('The public key of who attaches it', { required: true }) },
      max: 1,
    }),
    element('resource', 'A quota in the old spelling', {
      attributes: {
        name: attribute.oneOf('Which quota', ['RAM', 'CAP'], { required: true }),
        quantum: attribute.bytes('How much', { required: true }),
      },
    }),
    element('affinity', 'Which part of the affinity space to use', {
      attributes: {
        xpos: attribute.integer('Column', { min: 0, otherwise: 'all' }),
        ypos: attribute.integer('Row', { min: 0, otherwise: 'all' }),
        width: attribute.integer('Columns', { min: 1, fallback: 1 }),
        height: attribute.integer('Rows', { min: 1, fallback: 1 }),
      },
      max: 1,
    }),
    element('provides', 'The services of the child', {
      children: [element('service', 'One service', { attributes: SERVICE_NAME })],
      max: 1,
    }),
    element('config', 'The child\'s configuration, its ROM "config"', { anyContent: true, max: 1 }),
    element('configfile', 'The old spelling of a route of its ROM "config" to a ROM of another name', {
      attributes: { name: attribute.label('Name of that ROM', { required: true }) },
      max: 1,
    }),
    ROUTE_SCHEMA,
    element('exit', 'What the exit of the child means', {
      attributes: { propagate: attribute.boolean('Its exit value ends this init', { fallback: false }) },
      max: 1,
    }),
    element('restart', 'Restarts the child after a crash', {
      attributes: {
        on: attribute.oneOf(
          'After crashes and exits with another value than 0, or after every exit',
          ['crash', 'always'],
          {
            fallback: 'crash',
          },
        ),
        max: attribute.integer('At most so many times in the period', { min: 0, max: 1000, fallback: 3 }),
        period_s: attribute.integer('The period in seconds', { min: 1, max: 86_400, fallback: 60 }),
      },
      max: 1,
    }),
    element('heartbeat', 'Watches whether the child responds', {
      attributes: {
        restart_after_skipped: attribute.integer('Restart after so many missed beats', {
          min: 0,
          fallback: 0,
        }),
      },
      max: 1,
    }),
    HOST_SCHEMA,
    element('allow', 'Trusts a package that the component imports with modules of Node', {
      attributes: {
        module: attribute.text('Name of the package', { required: true }),
        uses: attribute.text('Modules of Node that it may import, for example "net tls"'),
        anything: attribute.boolean('It may import what cannot be looked into: computed names, native code', {
          fallback: false,
        }),
      },
    }),
  ],
});

/** The releases of Genode after which the state report may be worded. */
export const REPORT_VOCABULARIES = ['24.08', '26.04'] as const;

const REPORT_SCHEMA = element('report', 'What the state report of init holds', {
  attributes: {
    ids: attribute.boolean('Numbers of the children', { fallback: false }),
    requested: attribute.boolean('Sessions that each child requested', { fallback: false }),
    provided: attribute.boolean('Sessions that each child provides', { fallback: false }),
    session_args: attribute.boolean('Arguments of the sessions', { fallback: false }),
    child_ram: attribute.boolean('Memory of each child', { fallback: false }),
    child_caps: attribute.boolean('Capabilities of each child', { fallback: false }),
    init_ram: attribute.boolean("Init's own memory", { fallback: false }),
    init_caps: attribute.boolean("Init's own capabilities", { fallback: false }),
    delay_ms: attribute.integer('Least time between two reports', {
      min: 0,
      max: 3_600_000,
      fallback: 100,
    }),
    buffer: attribute.bytes('Size of the report', { min: 4096, max: 4 * 1024 * 1024, fallback: 4096 }),
    vocabulary: attribute.oneOf(
      'How sessions and their states are named: as in that release of Genode',
      REPORT_VOCABULARIES,
      { fallback: '24.08' },
    ),
    why: attribute.boolean('Why a child is incomplete, stuck or waiting, in one phrase', {
      fallback: false,
    }),
  },
  max: 1,
});

const FORWARD_SCHEMA = element('child', 'The child that serves the session', {
  attributes: {
    name: attribute.text('Name of its start node', { required: true }),
    label: attribute.label('The label that the child sees'),
  },
  min: 1,
  max: 1,
});

export const AFFINITY_SPACE_SCHEMA = element('affinity-space', 'The grid that affinities refer to', {
  attributes: {
    width: attribute.integer('Columns', { min: 1, max: 4096, fallback: 1 }),
    height: attribute.integer('Rows', { min: 1, max: 4096, fallback: 1 }),
  },
  max: 1,
});

export const HEARTBEAT_SCHEMA = element('heartbeat', 'How often children with a heartbeat are asked', {
  attributes: { rate_ms: attribute.integer('The period', { min: 1, fallback: 1000 }) },
  max: 1,
});

/** The schema of init's `<config>`. */
export const INIT_SCHEMA = element('config', 'Init: a tree of components and who may talk to whom', {
  attributes: {
    version: attribute.text('Copied into the state report'),
    verbose: attribute.boolean('Log what init does', { fallback: false }),
    summary: attribute.boolean('Print a summary of the tree at its end', { fallback: false }),
    jail: attribute.oneOf('The same for all children with a process of their own and without grants', [
      'no',
      'required',
    ]),
    prio_levels: attribute.integer('Number of priorities, a power of two', {
      min: 0,
      max: 65_536,
      fallback: 1,
    }),
    ld_verbose: attribute.boolean('Means nothing here: there is no dynamic linker'),
    generate_xml: attribute.boolean('Whether the state report is XML, or else HID', { fallback: true }),
    ...STEP_BOUNDS,
  },
  children: [
    element('parent-provides', 'The services of the parent that children may use', {
      children: [element('service', 'One service', { attributes: SERVICE_NAME })],
      max: 1,
    }),
    DEFAULT_ROUTE_SCHEMA,
    element('default', 'Quotas of start nodes without their own', {
      attributes: {
        ram: attribute.bytes('Memory for dataspaces and sessions'),
        caps: attribute.integer('Capabilities', { min: 0 }),
      },
      max: 1,
    }),
    AFFINITY_SPACE_SCHEMA,
    element('resource', 'What init keeps for itself', {
      attributes: {
        name: attribute.oneOf('Of which quota', ['RAM', 'CAP'], { required: true }),
        preserve: attribute.bytes('How much', { required: true }),
      },
    }),
    REPORT_SCHEMA,
    HEARTBEAT_SCHEMA,
    element('service', 'A service that init offers by one of its children', {
      attributes: SERVICE_NAME,
      children: policyElements({}, FORWARD_SCHEMA),
    }),
    element('alias', 'Another name for a child, for routes', {
      attributes: {
        name: attribute.text('The other name', { required: true }),
        child: attribute.text('Name of a start node', { required: true }),
      },
    }),
    element('binary', 'A component that may be started here though no start node names it', {
      attributes: { name: attribute.text('Short name, path or package', { required: true }) },
    }),
    START_SCHEMA,
  ],
});

/*
 * The parts of a configuration as they were read, mistakes included. The schema has listed those
 * mistakes; the model reads on, so that all other mistakes are listed, too.
 */

export type InitReading = TolerantConfigOf<typeof INIT_SCHEMA>;
export type StartReading = InitReading['$children']['start'][number];
export type HostReading = NonNullable<StartReading['$children']['host']>;
export type GrantReading = HostReading['$content'][number];
