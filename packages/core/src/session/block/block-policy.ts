/** The policies of block servers that show all their clients the same device. */
import { attribute, type ConfigNode, type ElementSchema, policyElements } from '../../config/index.ts';
import { SessionError } from '../../errors.ts';
import type { Label } from '../../label.ts';
import { selectPolicy } from '../../policy.ts';

/** The children `<policy>` and `<default-policy>` of such a server's config. */
export const blockPolicyElements: readonly ElementSchema[] = policyElements({
  writeable: attribute.boolean('Whether these sessions may write', { fallback: 'no' }),
});

/**
 * Whether the session with this label may write. A config without any policy lets everybody read and write; with policies
 * a session needs one, and `writeable="yes"` in it to write. Throws `DENIED` if there is none for it.
 */
export function blockPolicy(config: ConfigNode, label: Label): boolean {
  const policy = selectPolicy(config, label);
  if (policy) return policy.boolean('writeable', false);
  if (config.child('policy')) {
    throw new SessionError('DENIED', `no policy defined for label "${label.text}"`);
  }
  return true;
}
