/**
 * Bounds of a configuration, in one place: the XML reader, the plain-data reader and the schema
 * checker all keep to them. A tree that the XML reader accepts always fits the bounds of the
 * plain-data reader.
 */
export const CONFIG_LIMITS = {
  /**
   * Size of a configuration text in bytes; also the bound of all names, values and texts together,
   * in UTF-16 units.
   */
  sizeBytes: 4 * 1024 * 1024,
  /** Nesting of elements, the outermost one counted. */
  depth: 64,
  /** Elements in a tree. */
  nodes: 100_000,
  /** Attributes of one element. */
  attributes: 256,
  /** Length of the name of an element or attribute. */
  nameLength: 64,
  /** Errors that one check lists; what is beyond is counted, not listed. */
  errors: 1000,
} as const;

const NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_.:-]*$/;

/**
 * Tells whether `text` may name an element or an attribute: ASCII letters, digits, `_ . : -`,
 * beginning with a letter or `_`, at most `CONFIG_LIMITS.nameLength` long.
 */
export function validName(text: string): boolean {
  return text.length <= CONFIG_LIMITS.nameLength && NAME_PATTERN.test(text);
}
