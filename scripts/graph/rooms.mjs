// The rooms of the house and the imports between them, counted.

/**
 * Where a file lies: its package, and the row and the name of its innermost room; undefined if the
 * plan has none for it.
 */
export function placeOf(plan, file) {
  const [, packageName, path] = /^packages\/([^/]+)\/src\/(.+)$/.exec(file) ?? [];
  let found;
  for (const [row, names] of (plan.rooms[packageName] ?? []).entries()) {
    for (const name of names) {
      const here = name === '.' || path === name || path.startsWith(`${name}/`);
      if (here && (!found || found.name === '.' || name.length > found.name.length))
        found = { packageName, row, name };
    }
  }
  return found;
}

const key = ({ packageName, name }) => `${packageName}/${name}`;

/** By package, highest first, its rows of rooms. Rooms and packages without files are left out. */
export function roomsOf(plan, imports) {
  const used = new Set();
  for (const file of imports.keys()) {
    const place = placeOf(plan, file);
    if (place) used.add(key(place));
  }
  return plan.packages
    .map((packageName) => ({
      packageName,
      rows: (plan.rooms[packageName] ?? [])
        .map((names) =>
          names.map((name) => ({ id: `${packageName}/${name}`, name })).filter(({ id }) => used.has(id)),
        )
        .filter((row) => row.length > 0),
    }))
    .filter(({ rows }) => rows.length > 0);
}

/**
 * The imports from one room to another of its package, and from one package to another: how many
 * lines say so.
 */
export function arrowsOf(plan, imports) {
  const arrows = new Map();
  const add = (from, to) => {
    if (from !== to) arrows.set(`${from} ${to}`, (arrows.get(`${from} ${to}`) ?? 0) + 1);
  };
  for (const [file, targets] of imports) {
    const from = placeOf(plan, file);
    if (!from) continue;
    for (const target of targets) {
      const to = placeOf(plan, target);
      if (to) {
        add(key(from), key(to));
        continue;
      }
      const name = /^(?:@ginit\/)?([\w-]+)/.exec(target)?.[1];
      if (plan.packages.includes(name)) add(from.packageName, name);
    }
  }
  return [...arrows].map(([ends, count]) => {
    const [from, to] = ends.split(' ');
    return { from, to, count };
  });
}
