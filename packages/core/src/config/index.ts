/** Configuration trees: nodes with places, their plain form, schemas. No syntax, no I/O. */
export * from './data.ts';
export { defaultOf, describe } from './describe.ts';
export * from './document.ts';
export * from './error.ts';
export * from './limits.ts';
export { attributeTable, elementReference } from './markdown.ts';
export * from './node.ts';
export {
  type ConfigOf,
  type Inspection,
  inspectConfig,
  readConfig,
  type TolerantConfigOf,
} from './reading.ts';
export {
  type AttributeSchema,
  attribute,
  type ChildSchema,
  type ElementSchema,
  element,
  type EnclosingSchema,
  enclosing,
  policyElements,
  type TextSchema,
} from './schema.ts';
export * from './schema-data.ts';
export { sharing } from './sharing.ts';
export { didYouMean, suggest } from './suggest.ts';
export { validate } from './validate.ts';
export {
  formatBytes,
  parseBoolean,
  parseBytes,
  parseInteger,
  quotedList,
  type Range,
  shown,
  type ValueKind,
  valueProblem,
} from './values.ts';
