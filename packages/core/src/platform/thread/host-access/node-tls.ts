/** TLS over a socket that is connected already, by Node's `tls`. */
import type { Socket } from 'node:net';
import type { ConnectionOptions, SecureContextOptions, TLSSocket } from 'node:tls';
import { RpcError } from '../../../errors.ts';
import type { HostErrorCode, HostTls } from '../../../runtime/host-access.ts';
import { hostError } from '../../host/host-error.ts';
import type { StreamName } from './node-streams.ts';

/** Taken when it is used: few threads need the module, and loading it costs some milliseconds. */
const tlsModule = (): typeof import('node:tls') => process.getBuiltinModule('node:tls');

/** The oldest version that is spoken. */
const VERSION_MIN = 'TLSv1.2';
/** An end that does not finish the handshake in this time is given up. */
const HANDSHAKE_MS = 30_000;
const HAS_CLOSED = 'the other end has closed the connection';
const TAKES_TOO_LONG = 'the handshake takes too long';
/** Ends of a handshake that say nothing of trust: another attempt may succeed. */
const PASSING_CODES = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ERR_TLS_HANDSHAKE_TIMEOUT'];

/**
 * Makes the handshake over `socket`, which nobody reads or writes from now on. Resolves to the
 * stream that takes its place; rejects, with the socket closed, if there is no trust.
 */
export async function secured(socket: Socket, tls: HostTls, name: StreamName): Promise<TLSSocket> {
  // An end that leaves in the middle of the handshake is noticed at once; later each direction ends
  // by itself.
  socket.allowHalfOpen = false;
  try {
    const stream = tls.role === 'server' ? await asServer(socket, tls) : await asClient(socket, tls);
    socket.allowHalfOpen = true;
    stream.allowHalfOpen = true;
    // The stream ends with its socket, whichever of the two fails first.
    stream.on('close', () => socket.destroy());
    return stream;
  } catch (error) {
    socket.destroy();
    throw tlsError(error, name);
  }
}

const material = ({ certificate, key, authority }: HostTls): SecureContextOptions => ({
  minVersion: VERSION_MIN,
  ...(certificate === undefined ? {} : { cert: certificate }),
  ...(key === undefined ? {} : { key }),
  ...(authority === undefined ? {} : { ca: authority }),
});

/**
 * Node checks the certificates of clients only in a `tls.Server`. So there is one, which listens
 * nowhere, for this connection.
 */
function asServer(socket: Socket, tls: HostTls): Promise<TLSSocket> {
  const wanted = tls.authority !== undefined;
  return new Promise((resolve, reject) => {
    if (tls.certificate === undefined || tls.key === undefined) {
      throw new RpcError<HostErrorCode>('Unsupported', 'a server of TLS needs a certificate and its key');
    }
    const options = { ...material(tls), handshakeTimeout: HANDSHAKE_MS };
    const server = tlsModule().createServer({
      ...options,
      requestCert: wanted,
      // Node would close the connection without a word, as if the other end had left.
      rejectUnauthorized: false,
    });
    server.once('tlsClientError', reject).once('error', reject);
    server.once('secureConnection', (stream) => {
      if (!wanted || stream.authorized) return resolve(stream);
      stream.destroy();
      reject(new Error(`the certificate of the client: ${String(stream.authorizationError)}`));
    });
    socket.once('close', () => reject(new Error(HAS_CLOSED)));
    server.emit('connection', socket);
  });
}

function asClient(socket: Socket, tls: HostTls): Promise<TLSSocket> {
  const { serverName } = tls;
  return new Promise((resolve, reject) => {
    if (serverName === undefined || serverName === '') {
      throw new RpcError<HostErrorCode>('Unsupported', 'a client of TLS needs the name of the server');
    }
    const options: ConnectionOptions = { ...material(tls), socket, host: serverName };
    // A certificate may be for an IP address, but SNI names hosts only.
    if (!isAddress(serverName)) options.servername = serverName;
    const stream = tlsModule().connect(options);
    const late = setTimeout(() => stream.destroy(new Error(TAKES_TOO_LONG)), HANDSHAKE_MS);
    stream.once('secureConnect', () => {
      clearTimeout(late);
      resolve(stream);
    });
    stream.once('error', reject);
    stream.once('close', () => {
      clearTimeout(late);
      reject(new Error(HAS_CLOSED));
    });
  });
}

const isAddress = (host: string): boolean => process.getBuiltinModule('node:net').isIP(host) !== 0;

/** Errors of OpenSSL come with long codes, of which the reason at the end is for people. */
function tlsError(error: unknown, { what, path }: StreamName): RpcError {
  if (error instanceof RpcError) return error;
  if (!(error instanceof Error)) return hostError(error, path, what);
  const reason: unknown = Reflect.get(error, 'reason');
  const text = typeof reason === 'string' ? reason : (error.message.split('\n')[0] ?? '');
  const passing =
    [HAS_CLOSED, TAKES_TOO_LONG].includes(error.message) ||
    PASSING_CODES.includes(String(Reflect.get(error, 'code')));
  return new RpcError<HostErrorCode>(
    passing ? 'Unreachable' : 'Untrusted',
    `${what} "${path}": TLS: ${text}`,
  );
}
