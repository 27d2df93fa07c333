/** The rules for names that all FATs and exFAT have in common. */
import { FsError } from '../errors.ts';

/** The most UTF-16 units that a name may have. */
export const NAME_UNITS_MAX = 255;
/** The most bytes of UTF-8 that such a name may have. */
export const NAME_BYTES_MAX = 3 * NAME_UNITS_MAX;

// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u001f"*/:<>?\\|]/;
const LONE_SURROGATE = /[\ud800-\udfff]/u;
const LONE_SURROGATES = /[\ud800-\udfff]/gu;

/**
 * Makes sure that FAT can have an entry of that name. Throws `InvalidName` or `NameTooLong`.
 */
export function requireName(text: string): void {
  if (text.length > NAME_UNITS_MAX)
    throw new FsError('NameTooLong', `a name has at most ${NAME_UNITS_MAX} characters`);
  if (FORBIDDEN.test(text))
    throw new FsError('InvalidName', 'no name on a FAT holds one of "*/:<>?\\| or a control character');
  if (text.endsWith('.') || text.endsWith(' '))
    throw new FsError('InvalidName', 'no name on a FAT ends with a dot or a blank');
  if (LONE_SURROGATE.test(text)) throw new FsError('InvalidName', 'a name on a FAT is Unicode');
}

/** Whether a name that was read from the device can be shown. */
export function isShowable(text: string): boolean {
  return text !== '' && text !== '.' && text !== '..' && !text.includes('/') && !text.includes('\0');
}

/** A text with a replacement for what no text can have. */
export function withoutLoneSurrogates(text: string): string {
  return text.replaceAll(LONE_SURROGATES, '\ufffd');
}
