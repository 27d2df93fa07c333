/** The policies of block servers that show all their clients the same device. */
import { attribute, policyElements } from '../../config/index.ts';
import { SessionError } from '../../errors.ts';
import type { Label } from '../../label.ts';
import { type PolicyConfig, type PolicySelection, selectPolicy } from '../../policy.ts';

/** The children `<policy>` and `<default-policy>` of such a server's config. */
export const BLOCK_POLICY_ELEMENTS = policyElements({
  writeable: attribute.boolean('Whether these sessions may write', { fallback: false }),
});

/** What such a policy says. */
interface BlockPolicy {
  readonly writeable: boolean;
}

/**
 * Whether the session with this label may write. A config without any policy lets everybody read and write; with policies
 * a session needs one, and `writeable="yes"` in it to write. Throws `DENIED` if there is none for it. The schema of `config`
 * has `BLOCK_POLICY_ELEMENTS`.
 */
export function blockPolicy(
  config: PolicyConfig<PolicySelection & BlockPolicy, BlockPolicy>,
  label: Label,
): boolean {
  const policy = selectPolicy(config, label);
  if (policy) return policy.writeable;
  if (config.$children.policy.length > 0) {
    throw new SessionError('DENIED', `no policy defined for label "${label.text}"`);
  }
  return true;
}
