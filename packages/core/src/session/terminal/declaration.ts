/**
 * Terminal: raw bytes in both directions between a component and whoever sits at the terminal, and
 * the size of the terminal (reference: Genode's Terminal session). `read` never waits and may give
 * nothing; `write` takes as much as there is room for, which may be nothing.
 *
 * Genode has a signal for each thing that a client waits for: that somebody is connected, that
 * there is something to read, that the size has changed. Here these are calls that settle when the
 * time has come, because a client that waits has to learn of the end of its server, too. They tell
 * of states and not of events, so asking twice does no harm.
 *
 * Session arguments, both paid by the client's donation: `buffer_size` bytes for each direction,
 * and `scroll_back`, the bytes of output that a server keeps for those who look at the terminal
 * later.
 */
import { COSTS } from '../../costs.ts';
import { rpc, session } from '../../interface/interface.ts';
import { bytes, integer, nothing, record, type ShapeType } from '../../interface/shapes.ts';
import { LIMITS } from '../../limits.ts';
import { bytesArgument, type SessionArguments } from '../parent.ts';

/** The buffer of each direction in bytes if the client does not say; Genode's. */
export const TERMINAL_BUFFER_BYTES_DEFAULT = 4096;
/** The bytes of output that are kept for later if the client does not say. */
export const TERMINAL_SCROLL_BACK_BYTES_DEFAULT = 64 * 1024;
/** The most columns or lines that a terminal has. */
export const TERMINAL_CELLS_MAX = 65_535;

const terminalSize = record({
  columns: integer(1, TERMINAL_CELLS_MAX),
  lines: integer(1, TERMINAL_CELLS_MAX),
});
/** The size of a terminal, in characters. */
export type TerminalSize = ShapeType<typeof terminalSize>;

/** The size of a terminal of which nobody has said it. */
export const TERMINAL_SIZE_DEFAULT: TerminalSize = { columns: 80, lines: 24 };

/** The sizes in bytes that a session asks for. */
export interface TerminalBuffers {
  /** The buffer of each direction. */
  readonly bufferBytes: number;
  readonly scrollBackBytes: number;
}

/**
 * The buffers that these arguments ask for. Throws `InvalidArgument` for impossible ones.
 */
export function terminalBuffers(args: Readonly<SessionArguments>): TerminalBuffers {
  const { terminalBufferBytes, terminalScrollBackBytes } = LIMITS;
  return {
    bufferBytes: bytesArgument(args, 'buffer_size', TERMINAL_BUFFER_BYTES_DEFAULT, terminalBufferBytes),
    scrollBackBytes: bytesArgument(
      args,
      'scroll_back',
      TERMINAL_SCROLL_BACK_BYTES_DEFAULT,
      terminalScrollBackBytes,
    ),
  };
}

/** The Terminal session. */
export const Terminal = session(
  'Terminal',
  {
    size: rpc<() => TerminalSize>({ args: [], result: terminalSize }),
    /** Settles with the size as soon as it is another than `seen`. */
    resized: rpc<(seen: TerminalSize) => TerminalSize>({ args: [terminalSize], result: terminalSize }),
    /** Settles as soon as there is a terminal at the other end. */
    connected: rpc<() => void>({ args: [], result: nothing }),
    /** The number of bytes that can be read now. */
    avail: rpc<() => number>({ args: [], result: integer(0, LIMITS.terminalBufferBytes) }),
    /** At most `bytesMax` of the bytes that have come; perhaps none. */
    read: rpc<(bytesMax: number) => Uint8Array>({
      args: [integer(0, LIMITS.terminalBufferBytes)],
      result: bytes(LIMITS.terminalBufferBytes),
    }),
    /** Settles as soon as there is something to read. */
    readAvail: rpc<() => void>({ args: [], result: nothing }),
    /** Takes bytes from the front of `content`; the result is how many. */
    write: rpc<(content: Uint8Array) => number>({
      args: [bytes(LIMITS.terminalBufferBytes)],
      result: integer(0, LIMITS.terminalBufferBytes),
    }),
    /** Settles as soon as there is room for something to write. */
    writeAvail: rpc<() => void>({ args: [], result: nothing }),
  },
  {
    cost: COSTS.session,
    argumentsRam: (args) => {
      const { bufferBytes, scrollBackBytes } = terminalBuffers(args);
      return 2 * bufferBytes + scrollBackBytes;
    },
  },
);
