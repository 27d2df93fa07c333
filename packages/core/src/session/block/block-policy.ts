/** The policies of block servers that show all their clients the same device. */
import { attribute, policyElements } from '../../config/index.ts';
import type { Label } from '../../label.ts';
import { type PolicyConfig, type PolicySelection, requiredPolicy } from '../../policy.ts';

/** The children `<policy>` and `<default-policy>` of such a server's config. */
export const BLOCK_POLICY_ELEMENTS = policyElements({
  writeable: attribute.boolean('Whether these sessions may write', { fallback: false }),
});

/** The attributes of such a policy. */
interface BlockPolicy {
  readonly writeable: boolean;
}

/**
 * Whether the session with this label may write. If the config has no policies, every session may
 * read and write. If it has some, a session needs a policy for its label, and `writeable="yes"` in
 * that to write. Throws `DENIED` if no policy is for it. `config` was read by a schema with
 * `BLOCK_POLICY_ELEMENTS`.
 */
export function blockPolicy(
  config: PolicyConfig<PolicySelection & BlockPolicy, BlockPolicy>,
  label: Label,
): boolean {
  const { policy: policies, 'default-policy': fallback } = config.$children;
  if (policies.length === 0 && fallback === undefined) return true;
  return requiredPolicy(config, label).writeable;
}
