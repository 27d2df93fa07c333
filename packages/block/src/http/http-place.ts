/** Where something is that is read over HTTP. */

export interface HttpPlace {
  readonly secure: boolean;
  /** HOST:PORT, as grants are spelled. */
  readonly address: string;
  /** Path and query. */
  readonly path: string;
  /** The header `Host`. */
  readonly host: string;
}

const DEFAULT_PORT = { 'http:': '80', 'https:': '443' } as const;

/** The place that a URI names, or in words why it names none. */
export function httpPlace(uri: string, base?: string): HttpPlace | string {
  if (!URL.canParse(uri, base)) return 'is no URI';
  const { protocol, hostname, port, pathname, search, host, username, password } = new URL(uri, base);
  if (protocol !== 'http:' && protocol !== 'https:') return 'begins neither with http: nor with https:';
  if (username !== '' || password !== '') return 'names a user, which is not supported';
  const address = `${hostname}:${port === '' ? DEFAULT_PORT[protocol] : port}`;
  return { secure: protocol === 'https:', address, path: pathname + search, host };
}
