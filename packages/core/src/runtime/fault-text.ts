/** What the log says of an error that nobody has handled. */
import { ConfigError } from '../config/index.ts';

/**
 * A config that is wrong is no fault of the component's code: its place is all that there is to
 * say. Everything else is told with where it comes from.
 */
export function faultText(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
