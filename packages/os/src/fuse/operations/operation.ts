import type { Exchange } from '../exchanges.ts';
import type { Request } from '../protocol/request.ts';
import type { Served } from '../served.ts';

/**
 * Carries out a request and answers it. What it needs of the request it takes before it waits for
 * anything, because the next message comes in the same memory. What it throws is the answer.
 */
export type Operation = (served: Served, request: Request, exchange: Exchange) => Promise<void>;
