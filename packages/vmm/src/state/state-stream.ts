/** The state of a machine as a stream: bytes one after the other, and parts with lengths. */

/** A state that cannot be used. */
export class StateError extends Error {
  override readonly name = 'StateError';
}

/** Where the state of a machine goes. */
export interface StateSink {
  /** Takes bytes, in this order. They must not change before this settles. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Where the state of a machine comes from. */
export interface StateSource {
  /**
   * The next bytes, so many; they are good until the next call. Rejects with `StateError` if they
   * are not there, or damaged.
   */
  read(length: number): Promise<Uint8Array>;
  /** The next bytes, as many as there is room for, go there. Rejects as `read` does. */
  readInto(into: Uint8Array): Promise<void>;
}

/** The bytes of a number of 32 bits. */
export function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** A number of 32 bits. */
export async function readU32(from: StateSource): Promise<number> {
  const { buffer, byteOffset } = await from.read(4);
  return new DataView(buffer, byteOffset, 4).getUint32(0, true);
}

/** Writes bytes with their length in front. */
export async function writeBlock(into: StateSink, bytes: Uint8Array): Promise<void> {
  await into.write(u32Bytes(bytes.byteLength));
  await into.write(bytes);
}

/** Reads bytes that have their length in front, `bytesMax` at most. */
export async function readBlock(from: StateSource, bytesMax: number): Promise<Uint8Array> {
  const length = await readU32(from);
  if (length > bytesMax) throw new StateError(`a part of it has ${length} bytes, more than ${bytesMax}`);
  return from.read(length);
}

/** Writes a value as JSON. */
export async function writeJson(into: StateSink, value: unknown): Promise<void> {
  await writeBlock(into, new TextEncoder().encode(JSON.stringify(value)));
}

/** Reads a value that was written as JSON. */
export async function readJson(from: StateSource, bytesMax: number): Promise<unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(await readBlock(from, bytesMax)));
    return value;
  } catch (error) {
    if (error instanceof SyntaxError) throw new StateError('a part of it is no JSON');
    throw error;
  }
}
