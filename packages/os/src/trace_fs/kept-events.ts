/**
 * The events that were read out of one subject's buffer, as events and as the text of its file. The
 * file grows. When it reaches its bound the older half goes, and the file is shorter: `tail -f`
 * says that it was truncated.
 */
import { eventLine, type TracedEvents, type TraceEvent } from '@ginit/core/trace';

const encoder = new TextEncoder();

interface KeptEvent {
  readonly event: TraceEvent | undefined;
  readonly line: Uint8Array;
}

/** Events of one subject. */
export class KeptEvents {
  #kept: KeptEvent[] = [];
  #bytes = 0;
  #lost = 0;
  #text: Uint8Array | undefined;

  /** The length of the text. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many events are missing, from the buffer or from here. */
  get lost(): number {
    return this.#lost;
  }

  get events(): readonly TraceEvent[] {
    return this.#kept.flatMap(({ event }) => event ?? []);
  }

  /** Adds what was read. The text has at most `bytesMax` bytes after that. */
  add({ events, lost }: TracedEvents, bytesMax: number): void {
    if (lost > 0) {
      this.#lost += lost;
      this.#push(undefined, `# ${lost} events lost\n`);
    }
    for (const event of events) this.#push(event, `${eventLine(event)}\n`);
    if (this.#bytes > bytesMax) this.#forget(bytesMax / 2);
  }

  /** The text, from the oldest line that is kept on. */
  get text(): Uint8Array {
    if (!this.#text) {
      this.#text = new Uint8Array(this.#bytes);
      let at = 0;
      for (const { line } of this.#kept) {
        this.#text.set(line, at);
        at += line.length;
      }
    }
    return this.#text;
  }

  #push(event: TraceEvent | undefined, line: string): void {
    const bytes = encoder.encode(line);
    this.#kept.push({ event, line: bytes });
    this.#bytes += bytes.length;
    this.#text = undefined;
  }

  #forget(bytesMax: number): void {
    let gone = 0;
    while (gone < this.#kept.length && this.#bytes > bytesMax) {
      this.#bytes -= this.#kept[gone]?.line.length ?? 0;
      if (this.#kept[gone]?.event) this.#lost++;
      gone++;
    }
    this.#kept = this.#kept.slice(gone);
    this.#text = undefined;
  }
}
