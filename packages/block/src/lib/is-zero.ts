const ZEROS = new Uint8Array(64 * 1024);

/**
 * Whether all bytes are zero. Data that is not ends the search at its first byte nearly always;
 * what is left is compared at the speed of memory.
 */
export function isZero(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0 || bytes[bytes.byteLength - 1] !== 0) return false;
  for (let at = 0; at < bytes.byteLength; at += ZEROS.byteLength) {
    const part = bytes.subarray(at, at + ZEROS.byteLength);
    if (Buffer.compare(part, ZEROS.subarray(0, part.byteLength)) !== 0) return false;
  }
  return true;
}
