/** Replacement policies, for who wants to know what they would hit. */
export { makePolicy } from './make-policy.ts';
export { POLICY_NAMES, type PolicyName } from './replacement-policy.ts';
export { Shadow } from './shadow.ts';
