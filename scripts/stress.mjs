// Stresses the real runtime: pnpm stress [--seconds N] [--seed S] [--components C] [--nodes N]
// [--kill] [--plan]. See test/stress.
import { parseArgs } from 'node:util';
import { setUp } from './setup.mjs';

const HELP = `stress: lets a random system of components live and die, and looks whether anything is lost

  pnpm stress [OPTIONS]

  --seconds N      how long (default 60)
  --seed S         what happens: the same seed gives the same plan (default: a new one, which is printed)
  --components C   how many components, from 8 to 200 (default 24)
  --hostile N      how many hostile components besides, from 0 to 50 (default 2)
  --nodes N        how many nodes of a cluster besides the head, from 0 to 8 (default 0): most components run there,
                   over a nats-server of its own, and nodes and server are killed and come again
  --kill           then start the system again and kill ginit itself: nothing may outlive it
  --log FILE       add all that the system writes to a file
  --plan           print the plan, run nothing
  --as-built       run what is compiled already, do not set up first
  --help           this text

The last line of output is {"stress": PLAN, "seed": …, "seconds": …, "components": …, "figures": {…}}. The exit code is 0 if
nothing went wrong, 1 if something did, 2 if the command line is wrong.`;

const USAGE_EXIT_CODE = 2;
const BOUNDS = {
  seconds: [1, 1_000_000, 60],
  seed: [0, 2 ** 32 - 1, undefined],
  components: [8, 200, 24],
  hostile: [0, 50, 2],
  nodes: [0, 8, 0],
};

function usage(text) {
  console.error(`stress: ${text}`);
  console.error('stress: try "pnpm stress --help"');
  process.exit(USAGE_EXIT_CODE);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        seconds: { type: 'string' },
        seed: { type: 'string' },
        components: { type: 'string' },
        hostile: { type: 'string' },
        nodes: { type: 'string' },
        kill: { type: 'boolean' },
        log: { type: 'string' },
        plan: { type: 'boolean' },
        'as-built': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    return usage(error.message);
  }
}

/** The number that an option says, within its bounds. */
function numberOf(values, name) {
  const [least, most, fallback = Math.floor(Math.random() * 2 ** 32)] = BOUNDS[name];
  const text = values[name];
  if (text === undefined) return fallback;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number > most) {
    usage(`--${name} ${text}: not a whole number from ${least} to ${most}`);
  }
  return number;
}

const values = readArguments();
if (values.help) {
  console.log(HELP);
} else {
  const [seconds, seed, components, hostile, machines] = [
    'seconds',
    'seed',
    'components',
    'hostile',
    'nodes',
  ].map((name) => numberOf(values, name));
  if (!values['as-built']) await setUp();
  const { describePlan, makePlan } = await import('../test/stress/plan/plan.mjs');
  const plan = makePlan({ seed, components, hostile, machines });
  if (values.plan) {
    for (const line of describePlan(plan)) console.log(line);
  } else {
    const { runStress } = await import('../test/stress/run.mjs');
    process.exitCode =
      (await runStress(plan, { seconds, kill: values.kill ?? false, log: values.log })) > 0 ? 1 : 0;
  }
}
