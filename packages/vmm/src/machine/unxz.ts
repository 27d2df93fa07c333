/**
 * Unpacks xz by liblzma, compiled to WebAssembly: Linux packs its kernels with a filter for x86. A
 * few bytes of xz may stand for gigabytes, so what comes out is counted, and others have their turn
 * between two pieces.
 */
import {
  code,
  copyFromWasm,
  copyToWasm,
  decoderInit,
  end,
  initModule,
  LZMA_BUF_ERROR,
  LZMA_FINISH,
  LZMA_MEMLIMIT_ERROR,
  LZMA_OK,
  LZMA_STREAM_END,
  WasmLzmaStream,
} from 'node-liblzma/wasm';

/** What is unpacked at a time. */
const PIECE_BYTES = 1024 * 1024;
/** The memory that liblzma may take: the dictionary of a kernel has up to 128 MiB. */
const MEMORY_BYTES_MAX = 256 * 1024 * 1024;

/**
 * The content of an .xz file, `bytesMax` bytes at most. `turn` settles when others have had their
 * turn; if it rejects, unpacking ends. Rejects if it is no such file, or larger.
 */
export async function unxz(
  packed: Uint8Array,
  bytesMax: number,
  turn: () => Promise<unknown>,
): Promise<Uint8Array> {
  const library = await initModule();
  const stream = new WasmLzmaStream(library);
  const input = copyToWasm(library, packed);
  const output = copyToWasm(library, new Uint8Array(PIECE_BYTES));
  try {
    decoderInit(stream, MEMORY_BYTES_MAX);
    stream.setInput(input, packed.byteLength);
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      stream.setOutput(output, PIECE_BYTES);
      const result = code(stream, LZMA_FINISH);
      const piece = copyFromWasm(library, output, PIECE_BYTES - stream.availOut);
      bytes += piece.byteLength;
      if (bytes > bytesMax) throw new RangeError(`it has more than ${bytesMax} bytes`);
      pieces.push(piece);
      if (result === LZMA_STREAM_END) return Buffer.concat(pieces);
      if (result !== LZMA_OK) throw new Error(problemOf(result));
      await turn();
    }
  } finally {
    end(stream);
    stream.free();
    library._free(input);
    library._free(output);
  }
}

function problemOf(result: number): string {
  switch (result) {
    case LZMA_BUF_ERROR:
      return 'it is cut off';
    case LZMA_MEMLIMIT_ERROR:
      return `it takes more than ${MEMORY_BYTES_MAX} bytes of memory`;
    default:
      return `its xz is broken (liblzma says ${result})`;
  }
}
