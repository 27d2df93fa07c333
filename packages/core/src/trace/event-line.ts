/** An event as a line for people. */
import type { TraceEvent } from './event.ts';

const decoder = new TextDecoder();

/** Microseconds, hook, peer and content. Control characters of the content are not shown. */
export function eventLine({ timeUs, hook, peer, failed, content }: TraceEvent): string {
  // A line feed in it could forge another event.
  // oxlint-disable-next-line no-control-regex
  const shown = decoder.decode(content).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\u00b7');
  const end = peer === 0 ? '' : ` @${peer}`;
  return `${timeUs.toFixed(3)} ${hook}${end} ${shown}${failed ? ' (failed)' : ''}`;
}
