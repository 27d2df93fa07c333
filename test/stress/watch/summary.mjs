/**
 * The table that ginit prints at its end, and whether all quota is still there. Quota is only ever
 * moved: what all accounts of the tree hold is what the system was given, but for what their
 * sessions at core have cost.
 */
import { COSTS, sumOf } from '@ginit/core/system';

const ROW =
  /^ginit: (init(?: -> \S+)*) +(process|thread of) .*?(, ended)? +(\S+) \(\S+\) of (\S+) +(\d+) of (\d+) /;
/** Everybody keeps a session to the director. */
const SERVER = 'init -> director';
const FACTORS = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
/**
 * Sessions of every component but the first init at the supervisor, besides a Timer session opened
 * at need.
 */
const ENVIRONMENT = sumOf(COSTS.pd, COSTS.cpu, COSTS.rom, COSTS.log);
/** Sessions of the first init: its config and its log. */
const FIRST = sumOf(COSTS.rom, COSTS.log);

/**
 * Objects of a component that others hold while it rests: handlers of its config, timer and
 * services; and, of an init, what each child and its thread hold.
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
    const [, label, place, ended, ramUsed, ram, capsUsed, caps] = row;
    if (ended) return;
    this.#accounts.set(label, {
      running: sumOf(COSTS.thread, COSTS.threadObject, ...(place === 'process' ? [COSTS.process] : [])),
      ram: bytesOf(ram),
      caps: Number(caps),
      ramUsed: bytesOf(ramUsed),
      capsUsed: Number(capsUsed),
    });
  }

  /**
   * The faults, as texts. `labels` are those that must be there, of which so many may have no
   * timer; `quota` is what the system was given.
   */
  check(labels, withoutTimer, quota) {
    const missing = labels.filter((label) => !this.#accounts.has(label));
    const found = missing.map((label) => `[${label}] is not among the live components in the end`);
    const known = new Set(labels);
    for (const [label, { running, ramUsed, capsUsed }] of this.#accounts) {
      if (!known.has(label)) found.push(`[${label}] is still alive in the end`);
      if (label === SERVER) continue;
      if (ramUsed !== running.ram)
        found.push(`[${label}] uses ${ramUsed} bytes in the end, ${running.ram} are due`);
      const most = running.caps + OBJECTS_AT_REST + OBJECTS_PER_CHILD * childrenOf(label, labels);
      if (capsUsed > most)
        found.push(`[${label}] still uses ${capsUsed} capabilities in the end, at most ${most} are due`);
    }
    return [...found, ...this.#checkSum(labels.length, withoutTimer, quota)];
  }

  #checkSum(components, withoutTimer, quota) {
    const accounts = [...this.#accounts.values()];
    const ram = quota.ram - accounts.reduce((sum, account) => sum + account.ram, 0);
    const caps = quota.caps - accounts.reduce((sum, account) => sum + account.caps, 0);
    const others = components - 1;
    const timers = (caps - FIRST.caps - ENVIRONMENT.caps * others) / COSTS.timer.caps;
    const explained = FIRST.ram + ENVIRONMENT.ram * others + COSTS.timer.ram * timers;
    if (ram === explained && timers <= components && timers >= components - withoutTimer) return [];
    return [
      `${ram} bytes and ${caps} capabilities are in no account; ${timers} timers of ${components} components would explain ${explained} bytes`,
    ];
  }
}
