/** LOG: lines of text for people. */
import { COSTS } from '../costs.ts';
import { rpc, session } from '../interface/interface.ts';
import { nothing, text } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';

/** The LOG session. `write` takes one line without its end, and settles when there is room for more. */
export const Log = session(
  'LOG',
  {
    write: rpc<(line: string) => void>({ args: [text(LIMITS.logLineBytes)], result: nothing }),
  },
  { cost: COSTS.log },
);
