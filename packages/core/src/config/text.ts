import { ConfigError } from './error.ts';
import { CONFIG_LIMITS } from './limits.ts';
import { Places } from './places.ts';

/**
 * The text of a config that was given as a text or as UTF-8 bytes, a byte order mark included;
 * `file` is the name for places. Throws a `ConfigError` if it is larger than a config may be, or
 * not UTF-8.
 */
export function decodedText(source: string | Uint8Array, file: string): string {
  if (source.length > CONFIG_LIMITS.sizeBytes) {
    const text = `the text is larger than ${CONFIG_LIMITS.sizeBytes} bytes`;
    throw new ConfigError(text, { file, line: 1, column: 1 });
  }
  return typeof source === 'string' ? source : decoded(source, file);
}

function decoded(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const lenient = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    // The replacement character stands where decoding failed. A text that contains one on purpose
    // is too rare to matter.
    throw new ConfigError('the text is not UTF-8', new Places(lenient, file).at(lenient.indexOf('\ufffd')));
  }
}
