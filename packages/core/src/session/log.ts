/** LOG: lines of text for people. */
import { COSTS } from '../costs.ts';
import { rpc, session } from '../interface/interface.ts';
import { nothing, text } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';

/**
 * The LOG session. `write` takes one or several lines, without the end of the last, and settles
 * when there is room for more.
 */
export const Log = session(
  'LOG',
  {
    write: rpc<(lines: string) => void>({ args: [text(LIMITS.logLineCharacters)], result: nothing }),
  },
  { cost: COSTS.log },
);
