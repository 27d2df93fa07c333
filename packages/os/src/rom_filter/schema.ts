/** The config of `rom_filter`. */
import { attribute, type ConfigOf, element, enclosing } from '@ginit/core/config';

const INPUT_NODE = element('node', 'Goes on in the first child of this type that has the attribute', {
  attributes: {
    type: attribute.name('Type of the child', { required: true }),
    attribute: attribute.name('An attribute that it must have'),
    value: attribute.text('The value that this attribute must have', { otherwise: 'any value' }),
  },
  children: [
    element('attribute', 'The value of the input is that of this attribute', {
      attributes: { name: attribute.name('Name of the attribute', { required: true }) },
      max: 1,
    }),
    { enclosing: 'node' as const },
  ],
});

const INPUT = element('input', 'A value out of another ROM module', {
  attributes: {
    name: attribute.text('Name by which the output uses it', { required: true }),
    rom: attribute.label('Label of the ROM session', { otherwise: 'the name' }),
    node: attribute.name('Type of the root of that module', { otherwise: 'the name' }),
    default: attribute.text('The value while there is none', { otherwise: 'it has none' }),
  },
  children: [
    element('attribute', 'The value of the input is that of this attribute of the root', {
      attributes: { name: attribute.name('Name of the attribute', { required: true }) },
      max: 1,
    }),
    INPUT_NODE,
  ],
});

const HAS_VALUE = element('has_value', 'Whether an input has this value', {
  attributes: {
    input: attribute.text('Name of the input', { required: true }),
    value: attribute.text('The value', { required: true }),
  },
  min: 1,
  max: 1,
});

const PARTS = [
  element('inline', 'These elements, or this text, as they stand', { anyContent: true }),
  element('attribute', 'An attribute; it is left out while its input has no value', {
    attributes: {
      name: attribute.name('Name of the attribute', { required: true }),
      value: attribute.text('Its value'),
      input: attribute.text('Name of the input that has its value'),
    },
  }),
  element('input', 'The content that an input has', {
    attributes: {
      name: attribute.text('Name of the input', { required: true }),
      skip_toplevel: attribute.boolean('Whether only what is in its node is taken', { fallback: false }),
    },
  }),
] as const;

const BRANCH_NODE = element('node', 'An element', {
  attributes: { type: attribute.name('Type of the element', { required: true }) },
  children: [...PARTS, enclosing('node'), enclosing('if')],
});

const IF = element('if', 'One of two contents', {
  children: [
    HAS_VALUE,
    element('then', 'If the condition holds', { children: [...PARTS, BRANCH_NODE, enclosing('if')], max: 1 }),
    element('else', 'If not', { children: [...PARTS, BRANCH_NODE, enclosing('if')], max: 1 }),
  ],
});

const NODE = element('node', 'An element', {
  attributes: { type: attribute.name('Type of the element', { required: true }) },
  children: [...PARTS, enclosing('node'), IF],
});

/** The config of `rom_filter`. */
export const ROM_FILTER_CONFIG = element('config', 'Values out of ROM modules, and a module made of them', {
  children: [
    INPUT,
    element('output', 'The ROM module that is provided', {
      attributes: { node: attribute.name('Type of its root', { required: true }) },
      children: [...PARTS, NODE, IF],
      max: 1,
    }),
  ],
});

type FilterConfig = ConfigOf<typeof ROM_FILTER_CONFIG>;
/** An `<input>` of the config. */
export type InputConfig = FilterConfig['$children']['input'][number];
