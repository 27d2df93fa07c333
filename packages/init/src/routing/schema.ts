import { attribute, element, type TolerantConfigOf } from '@ginit/core/config';

const FILTERS = {
  label: attribute.label('Requests whose label, as the child wrote it, is exactly this'),
  label_prefix: attribute.label('Requests whose label, as the child wrote it, begins so'),
  label_suffix: attribute.label('Requests whose label, as the child wrote it, ends so'),
  label_last: attribute.label('Requests whose last element of the label is exactly this'),
  unscoped_label: attribute.label(
    'Requests whose whole label is exactly this, also those for the environment',
  ),
};

const REWRITES = {
  label: attribute.label('The label that the server sees, as it stands'),
  identity: attribute.label('Replaces all of the label but its last element'),
  resource: attribute.label('Replaces the last element of the label'),
  prepend_resource: attribute.label('Is put before the last element of the label, without a separator'),
};

const TARGETS = [
  element('parent', 'The parent of this init', { attributes: REWRITES }),
  element('local', 'A service of the component itself that runs the children; init has none', {
    attributes: REWRITES,
  }),
  element('child', 'A child of this init', {
    attributes: { name: attribute.text('Name of its start node', { required: true }), ...REWRITES },
  }),
  element('any-child', 'The one child that provides the service'),
  element('if-arg', 'The old spelling of the attribute label of the rule', {
    attributes: {
      key: attribute.oneOf('The argument that is compared', ['label'], { required: true }),
      value: attribute.label('What it must be, as the child wrote it', { required: true }),
    },
    max: 1,
  }),
] as const;

const RULES = [
  element('service', 'Requests for one service; denied if no target provides it', {
    attributes: { name: attribute.name('Name of the service', { required: true }), ...FILTERS },
    children: TARGETS,
  }),
  element('any-service', 'Requests for any service; the next rule is tried if no target provides it', {
    attributes: FILTERS,
    children: TARGETS,
  }),
] as const;

export const ROUTE_SCHEMA = element('route', 'Where the session requests of the child go', {
  children: RULES,
  max: 1,
});

export const DEFAULT_ROUTE_SCHEMA = element('default-route', 'The route of children without their own', {
  children: RULES,
  max: 1,
});

/** A `<route>` or `<default-route>` as it was read, mistakes included. */
export type RouteReading = Pick<TolerantConfigOf<typeof ROUTE_SCHEMA>, '$content'>;
export type RuleReading = RouteReading['$content'][number];
type PartReading = RuleReading['$content'][number];
export type TargetReading = Exclude<PartReading, { readonly $type: 'if-arg' }>;
