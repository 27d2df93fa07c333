/**
 * Compressed clusters: raw deflate, or a zstd frame, with anything behind it up to the end of the
 * last sector.
 */
import * as zlib from 'node:zlib';
import { decompress as unzstd } from 'fzstd';
import { viewOf } from '../../lib/byte-reader.ts';
import { malformed } from '../image-error.ts';
import type { Qcow2Compression } from './header.ts';

/** The largest window that a frame may ask for: more than any encoder uses for a cluster. */
const ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024;
const ZSTD_MAGIC = 0xfd2fb528;

/** Decompresses a cluster. `at` is where it is in the file, for errors. */
export function decompressCluster(
  kind: Qcow2Compression,
  bytes: Uint8Array,
  clusterBytes: number,
  at: number,
): Uint8Array {
  let cluster: Uint8Array;
  try {
    cluster = kind === 'zlib' ? inflate(bytes, clusterBytes) : unpackZstd(bytes, clusterBytes);
  } catch (error) {
    throw malformed(
      `a compressed cluster cannot be read (${error instanceof Error ? error.message : String(error)})`,
      at,
    );
  }
  if (cluster.byteLength === clusterBytes) return cluster;
  throw malformed(`a compressed cluster has ${cluster.byteLength} bytes, not ${clusterBytes}`, at);
}

function inflate(bytes: Uint8Array, clusterBytes: number): Uint8Array {
  return zlib.inflateRawSync(bytes, {
    maxOutputLength: clusterBytes,
    // What lies behind the stream is not ours to judge; a stream that ends early gives too little.
    finishFlush: zlib.constants.Z_SYNC_FLUSH,
  });
}

function unpackZstd(bytes: Uint8Array, clusterBytes: number): Uint8Array {
  const frame = firstFrame(bytes);
  const native: unknown = Reflect.get(zlib, 'zstdDecompressSync');
  // Newer releases of Node have zstd themselves, with a bound on what comes out.
  if (typeof native === 'function') {
    const result: unknown = native(frame, { maxOutputLength: clusterBytes });
    if (result instanceof Uint8Array) return result;
  }
  const into = new Uint8Array(clusterBytes);
  return unzstd(frame, into);
}

/** The first frame of the bytes: its header, its blocks and its checksum. (Source: RFC 8878.) */
function firstFrame(bytes: Uint8Array): Uint8Array {
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== ZSTD_MAGIC) throw new Error('no zstd frame');
  const descriptor = view.getUint8(4);
  const single = (descriptor & 0x20) !== 0;
  if (!single) {
    const window = view.getUint8(5);
    const base = 2 ** (10 + (window >> 3));
    if (base + (base / 8) * (window & 7) > ZSTD_WINDOW_BYTES_MAX) throw new Error('the window is too large');
  }
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  let at = 5 + (single ? 0 : 1) + dictionaryBytes + sizeBytes;
  for (let last = false; !last; ) {
    const header = view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getUint8(at + 2) << 16);
    last = (header & 1) === 1;
    // A block that repeats one byte has just that one.
    at += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3);
  }
  if (descriptor & 4) at += 4;
  if (at > bytes.byteLength) throw new Error('the frame ends behind the cluster');
  return bytes.subarray(0, at);
}
