/** Two workers and Cap'n Web over a MessagePort. */
import { newMessagePortRpcSession, RpcTarget } from 'capnweb';
import { runPair } from '../harness/pair.mjs';
import { measureCalls } from './calls.mjs';

class EchoServer extends RpcTarget {
  echo(message) {
    return message;
  }
}

function server(port) {
  newMessagePortRpcSession(port, new EchoServer());
}

function client(port, settings) {
  const remote = newMessagePortRpcSession(port);
  return measureCalls((message) => remote.echo(message), settings);
}

await runPair(import.meta.url, { server, client });
