/** Measures calls while both ends of them are traced. */
import { measuringComponent } from '../harness/client.mjs';
import { fromConfig } from '../harness/settings.mjs';
import { measureCalls } from '../rpc/calls.mjs';
import { Echo } from '../rpc/session.mjs';
import { tracedFirst } from './traced-first.mjs';

export default measuringComponent({ requires: [Echo] }, async (env) => {
  const settings = fromConfig(env.config);
  const server = await env.connect(Echo);
  const traced = await tracedFirst(env);
  const figures = await measureCalls((message) => server.echo(message), settings);
  traced.expectEvents();
  return figures;
});
