/**
 * Sits beside a machine: logs what the guest says on its serial line; and if it is told to, saves
 * the machine and has it go on from its state, so many times, when the guest has been idle.
 */
import { component } from '@ginit/core';
import { Machine } from '@ginit/core/machine';
import { ServedTerminal, Terminal } from '@ginit/core/terminal';
import { fromConfig } from '../harness/settings.mjs';

export default component({ provides: [Terminal, Machine] }, (env) => {
  const { times } = fromConfig(env.config);
  const wishes = [];
  let wished = () => {};
  let answered = () => {};
  let last = 0;

  /** Wants something of the machine; settles when that is done. */
  const wish = async (action) => {
    const answer = new Promise((resolve) => (answered = resolve));
    await env.log(`BENCH ${action} begin`);
    wishes.push({ number: ++last, action, words: [] });
    wished();
    const { problem } = await answer;
    if (problem !== undefined) throw new Error(problem);
    await env.log(`BENCH ${action} end 1`);
  };

  const saveAndRestore = async () => {
    for (let time = 0; time < times; time++) {
      await wish('save');
      await wish('restore');
    }
    await env.log('BENCH done end 1');
  };

  env.provide(Machine, () => ({
    tell: () => {},
    wish: async () => {
      while (wishes.length === 0) await new Promise((resolve) => (wished = resolve));
      return wishes.shift();
    },
    answer: (_, answer) => answered(answer),
  }));
  env.provide(Terminal, (session) => {
    const decoder = new TextDecoder();
    let rest = '';
    const terminal = new ServedTerminal(session, {
      written: () => {
        const lines = (rest + decoder.decode(terminal.take(), { stream: true })).split('\n');
        rest = lines.pop();
        for (const line of lines) {
          if (line.startsWith('BENCH')) void env.log(line.trim());
          if (line.startsWith('BENCH idle end') && times > 0)
            void saveAndRestore().catch((error) => env.log(`BENCH failed: ${error.message}`));
        }
      },
    });
    terminal.connect();
    return terminal.session;
  });
});
