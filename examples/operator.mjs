// Sits at the serial line of a machine: types a line whenever the guest shows its prompt, and logs
// what the guest writes. To the machine it is a terminal like any other.
import { component } from '@ginit/core';
import { attribute, element } from '@ginit/core/config';
import { ServedTerminal, Terminal } from '@ginit/core/terminal';

const TYPE = element('type', 'A line to type', { text: 'required' });
const CONFIG = element('config', 'Types lines into a terminal', {
  attributes: { prompt: attribute.text('What the guest shows when it waits for a line', { fallback: '# ' }) },
  children: [TYPE],
});

// A shell asks the terminal for its cursor behind the prompt, and colours its words.
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, 'g');

export default component({ provides: [Terminal], config: CONFIG }, (env) => {
  const { prompt, $children } = env.config.read(CONFIG);
  const lines = $children.type.map(({ $node }) => $node.text.trim());

  env.provide(Terminal, (session) => {
    const decoder = new TextDecoder();
    const toType = [...lines];
    let shown = '';
    const terminal = new ServedTerminal(session, {
      written: () => {
        const text = shown + decoder.decode(terminal.take(), { stream: true });
        const whole = text.replaceAll(ESCAPES, '').replaceAll('\r', '').split('\n');
        shown = whole.pop() ?? '';
        for (const line of whole) if (line !== '') void env.log(`guest: ${line}`);
        if (!shown.endsWith(prompt)) return;
        const next = toType.shift();
        if (next !== undefined) terminal.push(new TextEncoder().encode(`${next}\n`));
      },
    });
    terminal.connect();
    return terminal.session;
  });
});
