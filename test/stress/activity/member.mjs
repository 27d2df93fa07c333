/** A component that the director leads: it joins, waits to begin, and says what it has counted. */
import { Control, Director } from '../sessions.mjs';
import { Tally } from './tally.mjs';

/** One incarnation of a member of the tree. */
export class Member {
  tally;
  who;
  seed;
  #env;
  #begin;
  #begun = new Promise((resolve) => (this.#begin = resolve));
  #follow;
  #follows = new Promise((resolve) => (this.#follow = resolve));
  #handlers = { rest: async () => {}, clear: () => {} };

  /** Joins the director's members; settles when it is known which incarnation this is. */
  static async join(env) {
    const member = new Member();
    member.#env = env;
    member.seed = Number(env.config.node.value('seed'));
    const name = env.config.node.value('name');
    const director = await env.connect(Director);
    const incarnation = await director.join(name, env.capability(Control, member.#control()));
    member.who = `${name}#${incarnation}`;
    member.tally = new Tally(env, member.who, member.seed);
    member.tally.watch();
    return member;
  }

  /** Settles when the member is to begin; `rest` and `clear` do what the director asks for then. */
  async follow(handlers) {
    this.#handlers = handlers;
    this.#follow();
    await this.#begun;
  }

  #control() {
    return {
      begin: () => this.#begin(),
      rest: async () => {
        await this.#follows;
        await this.#handlers.rest();
        await this.tally.report();
      },
      clear: () => this.#handlers.clear(),
      state: async () => {
        await this.#follows;
        const { made, settled, failures } = this.tally;
        return { made, settled, failures, ...(await this.#env.quota()) };
      },
    };
  }
}
