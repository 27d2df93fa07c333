/**
 * The last lines of every component, kept in memory for `ginit log`. They survive the component,
 * and nothing of them goes to disk.
 */
import { labelWithin } from '@ginit/core/system';
import type { OutputSink } from '@ginit/core/supervisor';

/** Characters that are kept of one component. */
export const KEPT_CHARACTERS = 64 * 1024;
/**
 * Characters that are kept in all; above that, the component that has been quiet for longest is
 * forgotten.
 */
const KEPT_CHARACTERS_MAX = 32 * 1024 * 1024;
/** A piece counts for so many characters more, for what it takes beside its text. */
const PIECE_CHARACTERS = 64;

/** A piece of a log: one or several lines that a component has written together. */
export interface LogPiece {
  readonly label: string;
  readonly text: string;
}

interface NumberedPiece extends LogPiece {
  /** Its place among the pieces of all components. */
  readonly number: number;
}

interface KeptLog {
  pieces: NumberedPiece[];
  characters: number;
}

const sizeOf = ({ text }: LogPiece): number => text.length + PIECE_CHARACTERS;

/** The logs. */
export class LogKeeper {
  /** The component that wrote last is the last one. */
  readonly #logs = new Map<string, KeptLog>();
  readonly #followers = new Set<(piece: LogPiece) => void>();
  readonly #charactersMax: number;
  #characters = 0;
  #next = 0;

  constructor(charactersMax = KEPT_CHARACTERS_MAX) {
    this.#charactersMax = charactersMax;
  }

  /** Labels of all components of which something is kept. */
  get labels(): readonly string[] {
    return [...this.#logs.keys()];
  }

  keep(label: string, text: string): void {
    const piece = { number: this.#next++, label, text: tail(text) };
    const log = this.#logs.get(label) ?? { pieces: [], characters: 0 };
    this.#logs.delete(label);
    this.#logs.set(label, log);
    log.pieces.push(piece);
    this.#count(log, sizeOf(piece));
    let gone = 0;
    for (const old of log.pieces) {
      if (log.characters <= KEPT_CHARACTERS + PIECE_CHARACTERS) break;
      this.#count(log, -sizeOf(old));
      gone++;
    }
    if (gone > 0) log.pieces = log.pieces.slice(gone);
    this.#forgetQuiet();
    for (const tell of this.#followers) tell({ label, text: piece.text });
  }

  /** The pieces of a component and of all below it, in the order in which they were written. */
  recent(label: string): readonly LogPiece[] {
    return [...this.#logs]
      .filter(([known]) => isWithin(known, label))
      .flatMap(([, { pieces }]) => pieces)
      .toSorted((a, b) => a.number - b.number)
      .map((piece) => ({ label: piece.label, text: piece.text }));
  }

  /**
   * Calls `tell` with every new piece of the component and of all below it. The result ends that.
   */
  follow(label: string, tell: (piece: LogPiece) => void): () => void {
    const follower = (piece: LogPiece): void => {
      if (isWithin(piece.label, label)) tell(piece);
    };
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  #count(log: KeptLog, characters: number): void {
    log.characters += characters;
    this.#characters += characters;
  }

  #forgetQuiet(): void {
    for (const [label, log] of this.#logs) {
      if (this.#characters <= this.#charactersMax) return;
      this.#characters -= log.characters;
      this.#logs.delete(label);
    }
  }
}

/** The last lines of a text that is too long by itself. */
function tail(text: string): string {
  if (text.length <= KEPT_CHARACTERS) return text;
  const rest = text.slice(-KEPT_CHARACTERS);
  const end = rest.indexOf('\n');
  return end === -1 ? rest : rest.slice(end + 1);
}

function isWithin(label: string, parent: string): boolean {
  return label === parent || labelWithin(label, parent) !== undefined;
}

/** The label in the prefix that the supervisor gives to lines: `[init -> disk] `. */
const labelOf = (prefix: string): string => prefix.slice(1, -2);

/** An output that keeps what components write, and passes it on. */
export function keptOutput(output: OutputSink, keeper: LogKeeper): OutputSink {
  return {
    lines: (text, prefix) => {
      keeper.keep(labelOf(prefix), text);
      return output.lines(text, prefix);
    },
    passingLine: (text, prefix) => {
      keeper.keep(labelOf(prefix), text);
      output.passingLine(text, prefix);
    },
    complaint: (text) => output.complaint(text),
  };
}
