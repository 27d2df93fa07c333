/**
 * The stock components whose configs hold start nodes: they run children of their own by the
 * sandbox. A grant of theirs is one that they hand on.
 */
const HOLDERS: ReadonlySet<string> = new Set(['init', 'sequence']);

/** Whether the component with this binary runs the start nodes of its config. */
export function isHolder(binary: string): boolean {
  return HOLDERS.has(binary);
}
