/** The files of a subject's directory: what they hold, and what writing to them does. */
import { hasCode, RpcError } from '@ginit/core';
import { parseBytes } from '@ginit/core/config';
import type { FileSystemErrorCode } from '@ginit/core/file_system';
import { chromeTrace, type TracedComponent } from '@ginit/core/trace';
import { fileSystemFailure } from '../lib/file-system-failure.ts';
import type { TracedSubject } from './traced-subject.ts';

/** A file with content of its own making. */
export interface ControlFile {
  /** The content, as it is now. */
  read(): Uint8Array;
  /** What the content becomes; missing where writing is refused. */
  write?(content: Uint8Array): Promise<void>;
  /** Whether what is written in parts is one content: then each part is tried with those before. */
  readonly whole?: boolean;
  /**
   * Whether a part of it is of no use: then it changes at looks only, when those who watch it are
   * told, so that nobody reads the content of today up to the length of yesterday.
   */
  readonly stable?: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const line = (text: string): Uint8Array => encoder.encode(text === '' ? '' : `${text}\n`);
const flag = (value: boolean): Uint8Array => line(value ? '1' : '0');

/** A file of a trace in the format of Chrome and Perfetto. */
export function pictureFile(components: () => readonly TracedComponent[]): ControlFile {
  return { read: () => encoder.encode(`${JSON.stringify(chromeTrace(components()))}\n`), stable: true };
}

/** A subject's part of a picture. */
export function tracedComponent({ info, kept }: TracedSubject): TracedComponent {
  const { component, label, node } = info;
  return { component, label, node, events: kept.events, lost: kept.lost };
}

/** The files by their names. */
export function controlFiles(subject: TracedSubject): ReadonlyMap<string, ControlFile> {
  return new Map<string, ControlFile>([
    [
      'enable',
      {
        read: () => flag(subject.enabled),
        write: async (content) => applied(subject.enable(switchOf(content))),
      },
    ],
    ['active', { read: () => flag(subject.active) }],
    [
      'policy',
      {
        read: () => encoder.encode(subject.policy),
        write: (content) => applied(subject.setPolicy(decoder.decode(content))),
        whole: true,
      },
    ],
    [
      'buffer_size',
      {
        read: () => line(String(subject.bufferSize)),
        write: async (content) => subject.setBufferSize(sizeOf(content)),
      },
    ],
    [
      'events',
      {
        read: () => {
          subject.drain();
          return subject.kept.text;
        },
        // As in Genode: what is written there goes nowhere.
        write: async () => {},
      },
    ],
    [
      'events.json',
      pictureFile(() => {
        subject.drain();
        return [tracedComponent(subject)];
      }),
    ],
    [
      'cleanup',
      {
        read: () => flag(subject.cleaned),
        write: async (content) => {
          if (switchOf(content) && !(await subject.cleanUp())) {
            throw fileSystemFailure('Busy', 'it is traced, or never was');
          }
        },
      },
    ],
    ['error', { read: () => line(subject.problem) }],
  ]);
}

function switchOf(content: Uint8Array): boolean {
  const text = decoder.decode(content).trim();
  if (text === '1') return true;
  if (text === '0') return false;
  throw fileSystemFailure('Invalid_argument', '1 or 0 is written there');
}

function sizeOf(content: Uint8Array): number {
  const bytes = parseBytes(decoder.decode(content).trim());
  if (bytes === undefined) throw fileSystemFailure('Invalid_argument', 'a number of bytes is written there');
  return bytes;
}

const CODES = {
  OUT_OF_RAM: 'No_space',
  OUT_OF_CAPS: 'Out_of_caps',
  FOREIGN: 'Busy',
  SOURCE_IS_DEAD: 'Unavailable',
  INVALID_SUBJECT: 'Unavailable',
  INVALID_POLICY: 'Invalid_argument',
} as const satisfies Record<string, FileSystemErrorCode>;

/** The errors of tracing as errors of files. */
async function applied(change: Promise<void>): Promise<void> {
  try {
    await change;
  } catch (error) {
    for (const [code, ours] of Object.entries(CODES)) {
      if (hasCode(error, code))
        throw fileSystemFailure(ours, error instanceof RpcError ? error.message : code);
    }
    throw error;
  }
}
