/** The up-case table as it is stored, and names by it. */

/** What a stored table says; undefined where it goes on behind the last unit. */
export function readCapitals(stored: Uint8Array): Uint16Array | undefined {
  const capitals = identity();
  const view = new DataView(stored.buffer, stored.byteOffset);
  let unit = 0;
  let at = 0;
  while (at + 1 < stored.length && unit < capitals.length) {
    const value = view.getUint16(at, true);
    at += 2;
    if (value !== 0xffff || at + 1 >= stored.length) {
      capitals[unit] = value;
      unit += 1;
    } else {
      unit += view.getUint16(at, true);
      at += 2;
    }
  }
  return unit <= capitals.length ? capitals : undefined;
}

/** A table in which each unit is its own capital. */
export function identity(): Uint16Array {
  const table = new Uint16Array(0x1_0000);
  for (let unit = 0; unit < table.length; unit += 1) table[unit] = unit;
  return table;
}

export function checksumOfTable(stored: Uint8Array): number {
  let sum = 0;
  for (const byte of stored) sum = ((sum & 1) * 0x8000_0000 + (sum >>> 1) + byte) % 0x1_0000_0000;
  return sum;
}

/** The form that names have in common that are the same but for their case. */
export function capitalsOf(capitals: Uint16Array, name: string): string {
  let text = '';
  for (const unit of unitsOf(name)) text += String.fromCharCode(capitals[unit] ?? unit);
  return text;
}

/** The hash of a name. */
export function nameHash(capitals: Uint16Array, name: string): number {
  let hash = 0;
  for (const unit of unitsOf(name)) {
    const capital = capitals[unit] ?? unit;
    for (const byte of [capital % 256, Math.floor(capital / 256)])
      hash = ((hash & 1) * 0x8000 + (hash >>> 1) + byte) % 0x1_0000;
  }
  return hash;
}

function* unitsOf(name: string): Generator<number> {
  for (let index = 0; index < name.length; index += 1) yield name.charCodeAt(index);
}
