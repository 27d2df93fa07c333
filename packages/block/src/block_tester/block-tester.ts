/** Runs the tests of a config, one after the other, over the component's Block session. */
import { type Env, hasCode, RpcError } from '@ginit/core';
import { BlockClient } from '@ginit/core/block';
import { Reporter } from '@ginit/core/report';
import { planOf, type TestPlan } from './plan.ts';
import { resultLine, resultsReport } from './results.ts';
import { BLOCK_TESTER_CONFIG, type BlockTesterConfig } from './schema.ts';
import { type TestResult, TestRun } from './test-run.ts';

/** The size of the bulk buffer: room for what one test has under way, within these bounds. */
const BUFFER_BYTES_MIN = 64 * 1024;
const BUFFER_BYTES_MAX = 64 * 1024 * 1024;
/** The part of a bulk buffer that one request may fill. */
const REQUEST_PARTS = 4;
const REPORT_BYTES = 64 * 1024;

type TesterEnv = Pick<Env, 'config' | 'connect' | 'close' | 'timer' | 'log' | 'error' | 'warning'>;

/**
 * Runs all tests. Resolves to whether all went well. Throws `ConfigError` at an impossible test.
 */
export async function runTests(env: TesterEnv): Promise<boolean> {
  const config = env.config.read(BLOCK_TESTER_CONFIG);
  const probe = await BlockClient.connect(env, { args: { tx_buf_size: BUFFER_BYTES_MIN } });
  const { info } = probe;
  await probe.close();
  const plans = config.$children.tests.$content.map((test) => planOf(test, info));
  const reporter = new Reporter(env, 'results', { bufferBytes: REPORT_BYTES, enabled: config.report });
  const results: TestResult[] = [];
  for (const plan of plans) {
    const result = await runTest(env, plan, config);
    if (result === undefined) return false;
    results.push(result);
    await env.log(resultLine(result, config.figures));
    for (const problem of result.problems) await env.error(problem);
    await reporter.report(resultsReport(results, plans.length)).catch((error: unknown) => {
      if (!(error instanceof RpcError)) throw error;
      void env.warning(`no report of the results: ${error.message}`);
    });
    if (result.errors > 0 && config.stop_on_error) break;
  }
  const failed = results.filter(({ errors }) => errors > 0).length;
  await env.log(failed === 0 ? 'all tests finished' : `${failed} of ${results.length} tests failed`);
  return failed === 0 && results.length === plans.length;
}

/** Runs a test over a session of its own. `undefined`: the server of the device is gone. */
async function runTest(
  env: TesterEnv,
  plan: TestPlan,
  config: BlockTesterConfig,
): Promise<TestResult | undefined> {
  const device = await BlockClient.connect(env, { args: { tx_buf_size: bufferBytes(plan) } });
  const { latency_one_in: latencyOneIn, stop_on_error: stopOnError } = config;
  try {
    const clock = (): Promise<number> => env.timer.elapsedUs();
    return await new TestRun(device, plan, clock, { latencyOneIn, stopOnError }).run();
  } catch (error) {
    if (!hasCode(error, 'PeerGone')) throw error;
    await env.error(`${plan.name}: the server of the device is gone`);
    return undefined;
  } finally {
    await device.close().catch(() => {});
  }
}

function bufferBytes({ requestBytesMax, underWayMax }: TestPlan): number {
  const wanted = requestBytesMax * Math.max(underWayMax, REQUEST_PARTS);
  return Math.min(BUFFER_BYTES_MAX, Math.max(BUFFER_BYTES_MIN, wanted));
}
