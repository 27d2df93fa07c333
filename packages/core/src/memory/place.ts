/**
 * A part of a shared buffer, as it is handed from thread to thread. The buffer may hold other
 * things too.
 */
export interface Place {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** A new buffer, as one place. */
export function newPlace(sizeBytes: number): Place {
  return { buffer: new SharedArrayBuffer(sizeBytes), byteOffset: 0, byteLength: sizeBytes };
}

/** The words of a place. */
export function wordsAt({ buffer, byteOffset, byteLength }: Place): Int32Array<SharedArrayBuffer> {
  return new Int32Array(buffer, byteOffset, byteLength / 4);
}
