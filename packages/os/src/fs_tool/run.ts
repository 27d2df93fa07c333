import { hasCode, RpcError } from '@ginit/core';
import type { Operation, Step } from './operation.ts';
import { Mismatch, perform, type Tools } from './perform.ts';

/**
 * Carries out steps in their order. Resolves to the first failure, in words to follow `Error: `;
 * undefined if every step had its expected result.
 */
export async function runSteps(steps: readonly Step[], tools: Tools): Promise<string | undefined> {
  for (const step of steps) {
    if (step.kind === 'operation') {
      const problem = await runOperation(step, tools);
      if (problem !== undefined) return problem;
      continue;
    }
    if (step.steps.length === 0) continue;
    for (let left = step.count; left > 0; left--) {
      const problem = await runSteps(step.steps, tools);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

async function runOperation(operation: Operation, tools: Tools): Promise<string | undefined> {
  const { action, title, expected } = operation;
  try {
    await perform(action, tools);
  } catch (error) {
    if (error instanceof Mismatch) return `${title}: ${error.message}`;
    if (!(error instanceof RpcError)) throw error;
    if (expected === undefined) return `${title}: ${error.code}`;
    if (!hasCode(error, expected)) return `${title}: ${error.code}, ${expected} expected`;
    await tools.print(`${title}: ${error.code} (expected)`);
    return undefined;
  }
  return expected === undefined ? undefined : `${title}: succeeded, ${expected} expected`;
}
