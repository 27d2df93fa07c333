/** Two workers and comlink. */
import { expose, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { runPair } from '../harness/pair.mjs';
import { measureCalls } from './calls.mjs';

function server(port) {
  expose({ echo: (message) => message }, nodeEndpoint(port));
}

function client(port, settings) {
  const remote = wrap(nodeEndpoint(port));
  return measureCalls((message) => remote.echo(message), settings);
}

await runPair(import.meta.url, { server, client });
