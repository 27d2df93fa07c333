/** The interfaces of this system's components. */
import { rpc, session } from '@ginit/core';

const shop = { buy: rpc({ args: [] }) };

/** Served by components that keep to the rules. */
export const Shop = session('Shop', shop);
/** The same, served by those that the fault plan makes hostile. */
export const Den = session('Den', shop);
/** Hears who has done his work. */
export const Judge = session('Judge', { done: rpc() });
