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
  const url = URL.parse ? (URL.parse(uri, base) ?? undefined) : parsed(uri, base);
  if (!url) return 'is no URI';
  const { protocol, hostname, port, pathname, search, host, username, password } = url;
  if (protocol !== 'http:' && protocol !== 'https:') return 'begins neither with http: nor with https:';
  if (username !== '' || password !== '') return 'names a user, which is not supported';
  const address = `${hostname}:${port === '' ? DEFAULT_PORT[protocol] : port}`;
  return { secure: protocol === 'https:', address, path: pathname + search, host };
}

/** `URL.parse` came with Node 22. */
function parsed(uri: string, base?: string): URL | undefined {
  return URL.canParse(uri, base) ? new URL(uri, base) : undefined;
}
