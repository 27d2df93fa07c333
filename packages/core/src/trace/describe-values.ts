/**
 * Arguments and results as a short text. It is cut where it gets too long, and nothing behind the
 * cut is looked at, so a large argument costs no more than a small one.
 */

/** The values, separated by commas, in `charactersMax` characters at most. */
export function describeValues(values: readonly unknown[], charactersMax: number): string {
  let text = '';
  for (const value of values) {
    if (text.length >= charactersMax) break;
    text += `${text === '' ? '' : ', '}${describe(value, charactersMax - text.length, 0)}`;
  }
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}…`;
}

const DEPTH_MAX = 3;

function describe(value: unknown, room: number, depth: number): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > room ? `${value.slice(0, room)}…` : value);
    case 'number':
    case 'boolean':
    case 'undefined':
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? 'null' : describeObject(value, room, depth);
    default:
      return typeof value;
  }
}

function describeObject(value: object, room: number, depth: number): string {
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (depth >= DEPTH_MAX) return '…';
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return `[${parts(items.length, room, (index, left) => describe(items[index], left, depth + 1))}]`;
  }
  // Capabilities and dataspaces have no fields that say anything.
  if (Object.getPrototypeOf(value) !== Object.prototype) return value.constructor?.name ?? 'object';
  const keys = Object.keys(value);
  return `{${parts(keys.length, room, (index, left) => {
    const key = keys[index] ?? '';
    const field: unknown = Object.getOwnPropertyDescriptor(value, key)?.value;
    return `${key}: ${describe(field, left, depth + 1)}`;
  })}}`;
}

function parts(count: number, room: number, part: (index: number, room: number) => string): string {
  let text = '';
  for (let index = 0; index < count; index++) {
    if (text.length >= room) return `${text}, …`;
    text += `${index === 0 ? '' : ', '}${part(index, room - text.length)}`;
  }
  return text;
}
