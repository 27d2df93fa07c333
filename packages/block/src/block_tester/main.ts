/** Tests a Block session and measures it. */
import { component, Timer } from '@ginit/core';
import { Block } from '@ginit/core/block';
import { Report } from '@ginit/core/report';
import { runTests } from './block-tester.ts';
import { BLOCK_TESTER_CONFIG } from './schema.ts';

const manifest = { requires: [Block, Timer], mayRequire: [Report], config: BLOCK_TESTER_CONFIG };

export default component(manifest, async (env) => {
  env.exit((await runTests(env)) ? 0 : 1);
});
