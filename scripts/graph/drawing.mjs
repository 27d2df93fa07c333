// Draws the rooms as SVG: each package is a frame with its rooms from the highest to the lowest, a
// line each; rooms of one row stand together. An arc at the right leads from a room down to one
// that it imports, in one of three widths by how many imports there are: the picture changes when
// the house does, not with every import.

const LINE_HEIGHT = 20;
const ROW_GAP = 5;
const TITLE_HEIGHT = 46;
const NAME_WIDTH = 210;
const ARC_WIDTH = 150;
const FRAME_WIDTH = NAME_WIDTH + ARC_WIDTH + 20;
const MARGIN = 16;
const WIDTHS = [
  { atLeast: 16, width: 2.4 },
  { atLeast: 4, width: 1.5 },
  { atLeast: 1, width: 0.8 },
];
const COLUMNS = [['init', 'simulator', 'rumpfs'], ['core'], []];

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const nameOf = (name) => (name === '.' ? '(its files)' : name.endsWith('.ts') ? name : `${name}/`);

/** A frame at a place: its text, how high it is, and where its rooms are. */
function frame({ packageName, rows }, arrows, left, top) {
  const centres = new Map();
  const parts = [];
  let y = top + TITLE_HEIGHT;
  for (const row of rows) {
    for (const { id, name } of row) {
      centres.set(id, y + LINE_HEIGHT / 2);
      parts.push(`<text x="${left + 14}" y="${y + 14}">${escaped(nameOf(name))}</text>`);
      y += LINE_HEIGHT;
    }
    parts.push(`<line x1="${left + 10}" x2="${left + NAME_WIDTH}" y1="${y + 2}" y2="${y + 2}"/>`);
    y += ROW_GAP;
  }
  const height = y - top + 8;
  const below = arrows.filter(({ from }) => from === packageName).map(({ to }) => to);
  const imports = below.toSorted().join(', ');
  const head = [
    `<rect x="${left}" y="${top}" width="${FRAME_WIDTH}" height="${height}" rx="8"/>`,
    `<text class="title" x="${left + 14}" y="${top + 20}">${packageName}</text>`,
    `<text class="count" x="${left + 14}" y="${top + 36}">${imports === '' ? 'imports no other package' : `imports ${imports}`}</text>`,
  ];
  const arcs = arrows
    .filter(({ from, to }) => centres.has(from) && centres.has(to))
    .map(({ from, to, count }) => {
      const [start, end] = [centres.get(from), centres.get(to)];
      const x = left + NAME_WIDTH;
      const reach = Math.min(ARC_WIDTH, 14 + Math.abs(end - start) * 0.36);
      const width = WIDTHS.find(({ atLeast }) => count >= atLeast).width;
      const up = end < start ? ' class="up"' : '';
      const curve = `M${x} ${start} C${x + reach} ${start} ${x + reach} ${end} ${x + 3} ${end}`;
      const title = `${from} imports ${to}`;
      return `<path${up} stroke-width="${width}" marker-end="url(#head)" d="${curve}"><title>${escaped(title)}</title></path>`;
    });
  return { height, text: [...head, ...parts, ...arcs].join('\n') };
}

/** Packages that no column names go where there is most room. */
function columnsOf(packages) {
  const columns = COLUMNS.map((names) =>
    names.map((name) => packages.find(({ packageName }) => packageName === name)).filter(Boolean),
  );
  const lines = (column) => column.reduce((sum, { rows }) => sum + rows.flat().length + 3, 0);
  for (const one of packages) {
    if (columns.some((column) => column.includes(one))) continue;
    columns.toSorted((a, b) => lines(a) - lines(b))[0].push(one);
  }
  return columns.filter((column) => column.length > 0);
}

/** The picture. */
export function drawing(packages, arrows) {
  const parts = [];
  let bottom = 0;
  const columns = columnsOf(packages);
  for (const [index, column] of columns.entries()) {
    let top = MARGIN;
    for (const one of column) {
      const { height, text } = frame(one, arrows, MARGIN + index * (FRAME_WIDTH + MARGIN), top);
      parts.push(text);
      top += height + MARGIN;
    }
    bottom = Math.max(bottom, top);
  }
  const width = MARGIN + columns.length * (FRAME_WIDTH + MARGIN);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${bottom}" viewBox="0 0 ${width} ${bottom}">
<style>
  svg { background: #fff; font: 13px system-ui, sans-serif; }
  rect { fill: #f6f8fa; stroke: #8c959f; }
  text { fill: #1f2328; } .title { font-weight: bold; font-size: 15px; } .count { fill: #656d76; font-size: 11px; }
  line { stroke: #d0d7de; } path { fill: none; stroke: #0969da; stroke-opacity: 0.55; } .up { stroke: #cf222e; }
</style>
<defs><marker id="head" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="5" markerHeight="5" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 L6 3 L0 6 z" style="fill:#0969da;stroke:none"/></marker></defs>
${parts.join('\n')}
</svg>
`;
}
