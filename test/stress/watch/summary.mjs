/**
 * The table that ginit prints at its end, and whether all quota is still there. Quota is only ever moved: what all accounts
 * of the tree hold is what the system was given, but for what sessions have donated to core, each the same amount.
 */

const ROW =
  /^ginit: (init(?: -> \S+)*) +(?:process|thread of) .*?(, ended)? +(\S+) \(\S+\) of (\S+) +(\d+) of (\d+) /;
/** Everybody keeps a session to the director. */
const SERVER = 'init -> director';
const FACTORS = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
/** What a session donates to its server, in bytes and capabilities (core: `SESSION_OBJECT_RAM`, `SESSION_OBJECT_CAPS`). */
const SESSION = { ram: 4096, caps: 1 };
/** The sessions of LOG and Timer that everybody has at core; an init opens its timer when it first needs it. */
const SESSIONS_EACH = 2;

function bytesOf(text) {
  const factor = FACTORS[text.at(-1)];
  return factor === undefined ? Number(text) : Number(text.slice(0, -1)) * factor;
}

/** Quotas in the table by label. */
export class Summary {
  #accounts = new Map();

  /** Takes a line of ginit; those that are not of the table are ignored. */
  line(text) {
    const row = ROW.exec(text);
    if (!row) return;
    const [, label, ended, ramUsed, ram, capsUsed, caps] = row;
    const used = ramUsed !== '0' || capsUsed !== '0';
    if (!ended) this.#accounts.set(label, { ram: bytesOf(ram), caps: Number(caps), used });
  }

  /** What is wrong, as texts. `labels` are those that must be there; `quota` is what the system was given. */
  check(labels, inits, quota) {
    const missing = labels.filter((label) => !this.#accounts.has(label));
    const found = missing.map((label) => `[${label}] is not among the live components in the end`);
    const known = new Set(labels);
    for (const [label, { used }] of this.#accounts) {
      if (!known.has(label)) found.push(`[${label}] is still alive in the end`);
      if (used && label !== SERVER) found.push(`[${label}] still uses some of its quota in the end`);
    }
    return [...found, ...this.#checkSum(labels.length, inits, quota)];
  }

  #checkSum(components, inits, quota) {
    const accounts = [...this.#accounts.values()];
    const ram = quota.ram - accounts.reduce((sum, account) => sum + account.ram, 0);
    const caps = quota.caps - accounts.reduce((sum, account) => sum + account.caps, 0);
    // One ROM: the config of the first init.
    const most = SESSIONS_EACH * components + 1;
    const sessions = caps / SESSION.caps;
    if (ram === SESSION.ram * sessions && sessions <= most && sessions >= most - inits) return [];
    return [
      `${ram} bytes and ${caps} capabilities are in no account; ${most} sessions at core would explain it`,
    ];
  }
}
