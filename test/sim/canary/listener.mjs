/**
 * A client whose config says by which label its server must know it. The two change together, or
 * one a moment after the other; with exit code 9 it tells of a session that goes on under a label
 * that its config does not say.
 */
import { component, Timer } from '@ginit/core';
import { Teller } from './teller.mjs';

const ROUNDS = 20;
const PAUSE_MS = 50;
const WRONG_ROUNDS_MAX = 3;
const WRONG_EXIT_CODE = 9;

export default component({ requires: [Teller, Timer] }, async (env) => {
  const teller = await env.connect(Teller);
  let wrong = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const found = await teller.label();
    wrong = found === env.config.node.value('label') ? 0 : wrong + 1;
    if (wrong > WRONG_ROUNDS_MAX) return env.exit(WRONG_EXIT_CODE);
    await env.timer.sleep(PAUSE_MS);
  }
  env.exit(0);
});
