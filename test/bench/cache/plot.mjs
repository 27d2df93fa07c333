/** Hit ratios as a plot in SVG: a curve for each policy, sizes on a logarithmic scale. */

const [WIDTH, HEIGHT] = [760, 440];
const MARGIN = { left: 56, right: 120, top: 36, bottom: 48 };
const COLOURS = ['#1a1a1a', '#c0392b', '#2471a3', '#1e8449', '#b9770e', '#7d3c98', '#909497'];
const LABEL_DISTANCE = 15;

const round = (number) => Math.round(number * 10) / 10;

/** Places labels of curves beside their ends, none on top of another. */
function spread(places) {
  const sorted = places.toSorted((a, b) => a.y - b.y);
  let last = -Infinity;
  for (const place of sorted) {
    place.y = Math.max(place.y, last + LABEL_DISTANCE);
    last = place.y;
  }
  return sorted;
}

/** The plot as a text. `ratios` is what `replay` returns. */
export function plot(title, sizes, ratios) {
  const names = Object.keys(ratios);
  const values = names.flatMap((name) => sizes.map((size) => ratios[name][size]));
  const top = Math.min(100, Math.ceil(Math.max(...values) / 10) * 10 || 10);
  const bottom = Math.floor(Math.min(...values) / 10) * 10;
  const [first, last] = [Math.log(sizes[0]), Math.log(sizes.at(-1))];
  const x = (size) =>
    MARGIN.left + ((Math.log(size) - first) / (last - first || 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (ratio) =>
    MARGIN.top + ((top - ratio) / (top - bottom || 1)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${MARGIN.left}" y="20" font-size="14">${title}</text>`,
  ];
  for (let ratio = bottom; ratio <= top; ratio += 10) {
    const at = round(y(ratio));
    lines.push(
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at}" y2="${at}" stroke="#e0e0e0"/>`,
      `<text x="${MARGIN.left - 8}" y="${at + 4}" text-anchor="end">${ratio} %</text>`,
    );
  }
  for (const size of sizes) {
    const label = size.toLocaleString('en');
    lines.push(`<text x="${round(x(size))}" y="${HEIGHT - 28}" text-anchor="middle">${label}</text>`);
  }
  lines.push(`<text x="${MARGIN.left}" y="${HEIGHT - 8}">chunks in the cache</text>`);
  const ends = [];
  for (const [index, name] of names.entries()) {
    const colour = COLOURS[index % COLOURS.length];
    const points = sizes.map((size) => `${round(x(size))},${round(y(ratios[name][size]))}`).join(' ');
    const dashed = index === names.length - 1 ? ' stroke-dasharray="6 4"' : '';
    const width = index === 0 ? 2.5 : 1.5;
    lines.push(
      `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="${width}"${dashed}/>`,
    );
    ends.push({ name, colour, y: y(ratios[name][sizes.at(-1)]) });
  }
  for (const { name, colour, y: at } of spread(ends)) {
    lines.push(`<text x="${WIDTH - MARGIN.right + 8}" y="${round(at + 4)}" fill="${colour}">${name}</text>`);
  }
  return `${lines.join('\n')}\n</svg>\n`;
}
