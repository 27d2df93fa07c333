/**
 * Two processes and a Unix socket: JSON behind its length in four bytes, in one write. For messages
 * this small JSON is the fastest that Node has built in.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcessPair } from '../harness/process-pair.mjs';
import { measureMessages } from './messages.mjs';

const LENGTH_BYTES = 4;

function send(socket, message) {
  const text = JSON.stringify(message);
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + bytes);
  frame.writeUInt32LE(bytes);
  frame.write(text, LENGTH_BYTES);
  socket.write(frame);
}

function receive(socket, handler) {
  let rest;
  socket.on('data', (chunk) => {
    const data = rest ? Buffer.concat([rest, chunk]) : chunk;
    let offset = 0;
    while (data.length - offset >= LENGTH_BYTES) {
      const end = offset + LENGTH_BYTES + data.readUInt32LE(offset);
      if (end > data.length) break;
      handler(JSON.parse(data.toString('utf8', offset + LENGTH_BYTES, end)));
      offset = end;
    }
    rest = offset < data.length ? data.subarray(offset) : undefined;
  });
}

function server() {
  process.on('message', (path) => {
    const socket = connect(path);
    receive(socket, (message) => send(socket, message));
  });
}

async function client(child, settings) {
  const directory = mkdtempSync(join(tmpdir(), 'bench-socket-'));
  try {
    const path = join(directory, 'echo');
    const listener = createServer();
    const connected = new Promise((resolve) => listener.once('connection', resolve));
    await new Promise((resolve) => listener.listen(path, resolve));
    child.send(path);
    const socket = await connected;
    listener.close();
    const channel = {
      send: (message) => send(socket, message),
      receive: (handler) => receive(socket, handler),
    };
    return await measureMessages(channel, settings);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

await runProcessPair(import.meta.url, { server, client });
