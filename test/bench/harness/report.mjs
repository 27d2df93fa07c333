/** The output of a benchmark: progress, a table, and one last line for scripts. */

/** A number with three significant digits, large ones in thousands or millions. */
export function readable(value) {
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (value >= 1e4) return `${(value / 1e3).toPrecision(3)} k`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Prints one result as it comes. */
export function printProgress(round, contender, figures) {
  const values = Object.entries(figures).map(([key, value]) => `${key} ${readable(value)}`);
  const where = `${contender.place.name.padEnd(9)} ${contender.label.padEnd(36)}`;
  console.log(`round ${round}  ${where} ${values.join('  ')}`);
}

/**
 * Prints a table as Markdown has it, for people and for the manual. Columns from `leftColumns` on
 * hold numbers.
 */
export function printTable(head, rows, leftColumns) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const cell = (text, column) =>
    column < leftColumns ? text.padEnd(widths[column]) : text.padStart(widths[column]);
  const rule = (width, column) => (column < leftColumns ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`);
  const print = (cells) => console.log(`| ${cells.join(' | ')} |`);
  print(head.map(cell));
  print(widths.map(rule));
  for (const row of rows) print(row.map(cell));
}

/** Rounds to four significant digits: more would be noise. */
const rounded = (entries) =>
  Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, Number(value.toPrecision(4))]));

/** Prints the line that scripts read. */
export function printLastLine(name, figures, ratios) {
  console.log(JSON.stringify({ bench: name, figures: rounded(figures), ratios: rounded(ratios) }));
}
