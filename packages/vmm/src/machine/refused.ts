/** Sessions that are refused are errors of the config that asks for them. */
import { SessionError } from '@ginit/core';
import type { ConfigNode } from '@ginit/core/config';

/** For `catch`: throws a `ConfigError` at an attribute if the error is one of a session. */
export function refusedAt(node: ConfigNode, attribute: string, what: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof SessionError)) throw error;
    throw node.errorAt(`${what}: ${error.message}`, attribute);
  };
}
