/** Texts and combinations of keys as somebody would type them on a US keyboard. */
import { RpcError } from '../../errors.ts';
import type { InputEvent } from './event.ts';
import { KEY_CODES, keyCode } from './keys.ts';

/** The keys that are pressed together for one character, or one combination. */
export type Chord = readonly number[];

/** Names of keys that people use, beside those of Linux. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  ctrl: 'leftctrl',
  control: 'leftctrl',
  shift: 'leftshift',
  alt: 'leftalt',
  altgr: 'rightalt',
  meta: 'leftmeta',
  super: 'leftmeta',
  win: 'leftmeta',
  escape: 'esc',
  return: 'enter',
  del: 'delete',
  ins: 'insert',
  pgup: 'pageup',
  pgdn: 'pagedown',
  pagedn: 'pagedown',
  caps: 'capslock',
  print: 'sysrq',
  printscreen: 'sysrq',
};
/** The keys of one combination. */
const COMBINED_MAX = 8;

/** Each key with its character alone, and the one that it has with Shift. */
const CHARACTERS: readonly (readonly [string, string, string])[] = [
  ['1', '1', '!'],
  ['2', '2', '@'],
  ['3', '3', '#'],
  ['4', '4', '$'],
  ['5', '5', '%'],
  ['6', '6', '^'],
  ['7', '7', '&'],
  ['8', '8', '*'],
  ['9', '9', '('],
  ['0', '0', ')'],
  ['minus', '-', '_'],
  ['equal', '=', '+'],
  ['leftbrace', '[', '{'],
  ['rightbrace', ']', '}'],
  ['semicolon', ';', ':'],
  ['apostrophe', "'", '"'],
  ['grave', '`', '~'],
  ['backslash', '\\', '|'],
  ['comma', ',', '<'],
  ['dot', '.', '>'],
  ['slash', '/', '?'],
  ...[...'abcdefghijklmnopqrstuvwxyz'].map((letter): readonly [string, string, string] => [
    letter,
    letter,
    letter.toUpperCase(),
  ]),
];

const SHIFT = keyCode('leftshift');

const CHORDS: ReadonlyMap<string, Chord> = new Map([
  [' ', [keyCode('space')]],
  ['\n', [keyCode('enter')]],
  ['\t', [keyCode('tab')]],
  ['\b', [keyCode('backspace')]],
  ['\u001b', [keyCode('esc')]],
  ...CHARACTERS.flatMap(([key, alone, shifted]): [string, Chord][] => [
    [alone, [keyCode(key)]],
    [shifted, [SHIFT, keyCode(key)]],
  ]),
]);

/**
 * The chords that type a text. Throws `InvalidArgument` at a character that no US keyboard has.
 */
export function chordsOfText(text: string): Chord[] {
  return [...text].map((character) => {
    const chord = CHORDS.get(character);
    if (chord) return chord;
    throw new RpcError('InvalidArgument', `a US keyboard has no key for ${JSON.stringify(character)}`);
  });
}

/**
 * The chord of a combination such as `ctrl-alt-delete`, `f1` or `shift-a`: names of keys, joined by
 * dashes. Throws `InvalidArgument`.
 */
export function chordOfCombination(combination: string): Chord {
  const names = combination.toLowerCase().split('-');
  if (names.length > COMBINED_MAX)
    throw new RpcError('InvalidArgument', `at most ${COMBINED_MAX} keys are pressed together`);
  return names.map((name) => {
    const code = KEY_CODES.get(Object.hasOwn(OTHER_NAMES, name) ? (OTHER_NAMES[name] ?? name) : name);
    if (code !== undefined) return code;
    throw new RpcError('InvalidArgument', `there is no key "${name}" (of "${combination}")`);
  });
}

/** The events of a chord: its keys are pressed in their order, and released in the other one. */
export function eventsOfChord(chord: Chord): InputEvent[] {
  return [
    ...chord.map((code): InputEvent => ({ kind: 'press', code })),
    ...chord.toReversed().map((code): InputEvent => ({ kind: 'release', code })),
  ];
}
