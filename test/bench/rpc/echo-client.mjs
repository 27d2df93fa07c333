/** Calls the server and measures. An ordinary component. */
import { measuringComponent } from '../harness/client.mjs';
import { fromConfig } from '../harness/settings.mjs';
import { measureCalls } from './calls.mjs';
import { Echo } from './session.mjs';

/** The client's measurement. */
export async function measureEcho(env) {
  const settings = fromConfig(env.config);
  const server = await env.connect(Echo);
  return measureCalls((message) => server.echo(message), settings);
}

export default measuringComponent({ requires: [Echo] }, measureEcho);
