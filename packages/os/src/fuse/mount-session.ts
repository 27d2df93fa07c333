import type { Env } from '@ginit/core';
import { NodesClient } from '@ginit/core/file_system';
import { FuseServer } from './fuse-server.ts';
import { MESSAGE_BYTES_MAX } from './operations/beginning.ts';
import { FUSE_CONFIG } from './schema.ts';

/** The part of `env` that is used here. */
export type MountEnv = Pick<
  Env,
  'config' | 'connect' | 'close' | 'host' | 'timer' | 'log' | 'warning' | 'error'
>;

/** A session that is mounted. */
export interface MountedSession {
  readonly path: string;
  /** Settles when somebody else than `stop` has taken the mount away. */
  readonly ended: Promise<void>;
  /** Takes the mount away, in order if nobody uses it, and otherwise all the same. */
  stop(): Promise<void>;
}

/**
 * Mounts the session that the config names. Throws a `ConfigError`, the session's error, or that of
 * the host, which says what to do.
 */
export async function mountSession(env: MountEnv): Promise<MountedSession> {
  const config = env.config.read(FUSE_CONFIG);
  const umask = umaskOf(config.umask);
  if (umask === undefined)
    throw config.$node.errorAt(`"${config.umask}" is no umask: octal digits, such as 022`, 'umask');
  const { label, tx_buf_size: bufferBytes, writeable } = config;
  const client = await NodesClient.connect(env, { label, bufferBytes, writeable });
  const space = await client.space();
  const mount = await env.host.mount(config.mount, {
    source: `ginit:${label.replaceAll(/[,\\\s]/g, '_')}`,
    readOnly: !space.writeable,
    allowOther: config.allow_other,
    requestBytesMax: MESSAGE_BYTES_MAX,
  });
  let isStopping = false;
  const report = (error: unknown): void =>
    void env.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
  try {
    await FuseServer.start({
      mount,
      client,
      space,
      appearance: { uid: config.uid, gid: config.gid, umask },
      timeoutMs: config.timeout_ms,
      after: (ms, handler) => env.timer.after(ms, handler),
      report,
    });
  } catch (error) {
    await mount.close();
    throw error;
  }
  return {
    path: config.mount,
    ended: mount.ended.then(() => (isStopping ? new Promise<never>(() => {}) : undefined)),
    stop: async () => {
      isStopping = true;
      await client
        .sync()
        .catch((error: unknown) => void env.warning(`not everything is saved: ${String(error)}`));
      if (!(await mount.unmount()))
        await env.warning(`${config.mount} is in use: programs that use it lose it`);
      await mount.close();
      await env.close(client.session).catch(() => undefined);
    },
  };
}

function umaskOf(text: string): number | undefined {
  return /^[0-7]{1,4}$/.test(text) ? Number.parseInt(text, 8) & 0o777 : undefined;
}
