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

/**
 * Objects of a component that others hold while it rests: handlers of its config, timer and services; and, of an init, what
 * each child and its thread hold.
 */
const OBJECTS_AT_REST = 5;
const OBJECTS_PER_CHILD = 3;

function childrenOf(parent, labels) {
  return labels.filter((label) => label.slice(0, label.lastIndexOf(' -> ')) === parent).length;
}

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
    if (ended) return;
    this.#accounts.set(label, {
      ram: bytesOf(ram),
      caps: Number(caps),
      ramUsed: bytesOf(ramUsed),
      capsUsed: Number(capsUsed),
    });
  }

  /** What is wrong, as texts. `labels` are those that must be there; `quota` is what the system was given. */
  check(labels, inits, quota) {
    const missing = labels.filter((label) => !this.#accounts.has(label));
    const found = missing.map((label) => `[${label}] is not among the live components in the end`);
    const known = new Set(labels);
    for (const [label, { ramUsed, capsUsed }] of this.#accounts) {
      if (!known.has(label)) found.push(`[${label}] is still alive in the end`);
      if (label === SERVER) continue;
      if (ramUsed > 0) found.push(`[${label}] still uses ${ramUsed} bytes in the end`);
      const most = OBJECTS_AT_REST + OBJECTS_PER_CHILD * childrenOf(label, labels);
      if (capsUsed > most)
        found.push(`[${label}] still uses ${capsUsed} capabilities in the end, at most ${most} are due`);
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
