/**
 * The numbers of keys and buttons: those of Linux's input events
 * (`include/uapi/linux/input-event-codes.h`), which Genode's `input/keycodes.h` has, too. A key is
 * named by its place on a US keyboard, whatever is printed on it.
 */

/** The names of the keys from number 1 on; a dash where Linux has none. */
const KEY_NAMES = `
  esc 1 2 3 4 5 6 7 8 9 0 minus equal backspace tab q w e r t y u i o p leftbrace
  rightbrace enter leftctrl a s d f g h j k l semicolon apostrophe grave leftshift
  backslash z x c v b n m comma dot slash rightshift kpasterisk leftalt space capslock f1
  f2 f3 f4 f5 f6 f7 f8 f9 f10 numlock scrolllock kp7 kp8 kp9 kpminus kp4 kp5 kp6 kpplus
  kp1 kp2 kp3 kp0 kpdot - zenkakuhankaku 102nd f11 f12 ro katakana hiragana henkan
  katakanahiragana muhenkan kpjpcomma kpenter rightctrl kpslash sysrq rightalt linefeed
  home up pageup left right end down pagedown insert delete macro mute volumedown volumeup
  power kpequal kpplusminus pause scale kpcomma hangeul hanja yen leftmeta rightmeta
  compose stop again props undo front copy open paste find cut help menu calc setup sleep
  wakeup file sendfile deletefile xfer prog1 prog2 www msdos coffee rotate_display
  cyclewindows mail bookmarks computer back forward closecd ejectcd ejectclosecd nextsong
  playpause previoussong stopcd record rewind phone iso config homepage refresh exit move
  edit scrollup scrolldown kpleftparen kprightparen new redo f13 f14 f15 f16 f17 f18 f19
  f20 f21 f22 f23 f24 - - - - - playcd pausecd prog3 prog4 all_applications suspend close
  play fastforward bassboost print hp camera sound question email chat search connect
  finance sport shop alterase cancel brightnessdown brightnessup media switchvideomode
  kbdillumtoggle kbdillumdown kbdillumup send reply forwardmail save documents battery
  bluetooth wlan uwb unknown video_next video_prev brightness_cycle brightness_auto
  display_off wwan rfkill micmute
`;
const NO_KEY = '-';

const BUTTONS: readonly (readonly [string, number])[] = [
  ['btn_left', 0x110],
  ['btn_right', 0x111],
  ['btn_middle', 0x112],
  ['btn_side', 0x113],
  ['btn_extra', 0x114],
];

/** The number of each key and button, by its name. */
export const KEY_CODES: ReadonlyMap<string, number> = new Map([
  ...KEY_NAMES.trim()
    .split(/\s+/)
    .map((name, index): [string, number] => [name, index + 1])
    .filter(([name]) => name !== NO_KEY),
  ...BUTTONS,
]);

/** The largest number of a key or button of Linux. */
export const KEY_CODE_MAX = 0x2ff;

/** The number of a key that there is for certain. */
export function keyCode(name: string): number {
  const code = KEY_CODES.get(name);
  if (code === undefined) throw new RangeError(`there is no key "${name}"`);
  return code;
}
