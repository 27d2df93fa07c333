/**
 * The director: waits until everybody is there, lets them begin, lets them rest when the time is
 * over, and looks whether everything is back where it was. Its exit ends the system.
 */
import { component } from '@ginit/core';
import { Tally } from '../activity/tally.mjs';
import { Director } from '../sessions.mjs';

/** For the harness to look at the processes, while nothing goes on. */
const PAUSE_MS = 4000;
const POLL_MS = 50;
/** How long somebody who has died may take to be there again. */
const RETURN_TRIES = 1200;
const ACCOUNT = ['ramQuota', 'ramUsed', 'capQuota', 'capUsed'];

class Members {
  #tally;
  #timer;
  #controls = new Map();
  #incarnations = new Map();
  #running = false;

  constructor(env, tally) {
    this.#tally = tally;
    this.#timer = env.timer;
  }

  /** Somebody is there, for the first time or again. */
  join(name, control) {
    const incarnation = (this.#incarnations.get(name) ?? 0) + 1;
    this.#incarnations.set(name, incarnation);
    this.#controls.get(name)?.[Symbol.dispose]();
    this.#controls.set(name, control);
    if (incarnation > 1) this.#tally.count('kills');
    if (this.#running) void this.#tally.attempt('begin', name, () => control.begin());
    return incarnation;
  }

  begin(names) {
    this.#running = true;
    return this.all(names, 'begin');
  }

  /** Lets hostile components die once more: who is there then does nothing. */
  async calm(names) {
    this.#running = false;
    await Promise.all(names.map((name) => this.#calm(name)));
  }

  async #calm(name) {
    const before = this.#incarnations.get(name);
    for (let tries = 0; tries < RETURN_TRIES; tries++) {
      if (this.#incarnations.get(name) !== before) return;
      // It may be dead already, or stuck in a vice: then whoever is stuck on it is told so.
      void this.#controls
        .get(name)
        ?.rest()
        .catch(() => {});
      await this.#timer.sleep(POLL_MS);
    }
    this.#tally.fail('calm', name, 'does not come back');
  }

  rest(names) {
    this.#running = false;
    return this.all(names, 'rest');
  }

  /** Asks everybody, at the same time; the answers by name. */
  async all(names, operation) {
    const answers = names.map(async (name) => [name, await this.#eventually(name, operation)]);
    return new Map(await Promise.all(answers));
  }

  /** Asks again if somebody is not there, or goes meanwhile: who can die is started again. */
  async #eventually(name, operation) {
    for (let tries = 0; tries < RETURN_TRIES; tries++) {
      const control = this.#controls.get(name);
      if (control) {
        const { ok, value } = await this.#tally.attempt(operation, name, () => control[operation]());
        if (ok) return value;
      }
      await this.#timer.sleep(POLL_MS);
    }
    this.#tally.fail(operation, name, 'is not there, and does not come back');
    return undefined;
  }
}

/** Compares what everybody has now with what it had before; says what is not as it was. */
function compare(tally, before, after, hostile) {
  for (const [name, state] of after) {
    const was = before.get(name);
    if (!state || !was) continue;
    for (const key of ACCOUNT.filter((field) => state[field] !== was[field])) {
      // A hostile server that lives keeps what it kept: the parent says so by name, and gives no
      // more than came back.
      if (hostile && key.endsWith('Quota') && state[key] < was[key]) continue;
      tally.fail('quota', name, `${key} is ${state[key]}, and was ${was[key]}`);
    }
    if (state.made !== state.settled) {
      tally.fail('calls', name, `${state.made} were made, ${state.settled} have settled`);
    }
  }
}

export default component({ provides: [Director] }, async (env) => {
  const names = env.config.node.childrenOf('member').map((member) => member.value('name'));
  const hostile = env.config.node.childrenOf('hostile').map((member) => member.value('name'));
  const tally = new Tally(env, 'director', Number(env.config.node.value('seed')));
  const members = new Members(env, tally);
  env.provide(Director, () => ({ join: (name, control) => members.join(name, control) }));
  const phase = async (name) => {
    await env.log(`stress-phase ${name}`);
    await env.timer.sleep(PAUSE_MS);
  };
  tally.watch();
  await members.all([...names, ...hostile], 'state');
  await env.timer.sleep(PAUSE_MS);
  const before = await members.all(names, 'state');
  await phase('ready');
  await members.begin([...names, ...hostile]);
  await env.log('stress-phase running');
  await env.timer.sleep(Number(env.config.node.value('seconds')) * 1000);
  await env.log('stress-phase resting');
  await members.calm(hostile);
  await members.rest(names);
  await members.all(names, 'clear');
  await env.timer.sleep(PAUSE_MS);
  compare(tally, before, await members.all(names, 'state'), hostile.length > 0);
  await phase('quiet');
  await tally.report();
  env.exit(tally.failures > 0 ? 1 : 0);
});
