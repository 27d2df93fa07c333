/** Events that have come in messages and were not taken yet: bounded, the oldest are lost. */
import { readEntries, type TraceEvent } from '../../trace/event.ts';

/** An inbox for the events of one subject. */
export class TraceInbox {
  readonly #sizeBytes: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #lost = 0;

  /** It keeps so many bytes of entries, and one message more. */
  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  /** Some have come; `lost` were lost on the way before them. */
  append(entries: Uint8Array, lost: number): void {
    this.#parts.push(entries);
    this.#bytes += entries.length;
    this.#lost += lost;
    while (this.#bytes > this.#sizeBytes && this.#parts.length > 1) {
      const oldest = this.#parts.shift();
      if (!oldest) break;
      this.#bytes -= oldest.length;
      this.#lost += readEntries(oldest).length;
    }
  }

  /** Takes them out. */
  take(): { readonly events: readonly TraceEvent[]; readonly lost: number } {
    const taken = { events: this.#parts.flatMap(readEntries), lost: this.#lost };
    this.#parts = [];
    this.#bytes = 0;
    this.#lost = 0;
    return taken;
  }
}
