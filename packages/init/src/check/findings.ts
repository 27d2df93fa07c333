import { CONFIG_LIMITS, comparePositions, ConfigError, type Position } from '@ginit/core/config';
import type { ConfigWarning } from '../model/index.ts';

/** The findings of a check, each list in the order of the document. */
export interface CheckResult {
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly ConfigWarning[];
}

/** Gathers what the checks find, up to `CONFIG_LIMITS.errors` of each sort. */
export class CheckFindings {
  private readonly errors: ConfigError[] = [];
  private readonly warnings: ConfigWarning[] = [];

  error(text: string, position: Position): void {
    if (this.errors.length < CONFIG_LIMITS.errors) this.errors.push(new ConfigError(text, position));
  }

  warn(text: string, position: Position): void {
    if (this.warnings.length < CONFIG_LIMITS.errors) this.warnings.push({ text, position });
  }

  result(): CheckResult {
    return {
      errors: this.errors.toSorted((left, right) => comparePositions(left.position, right.position)),
      warnings: this.warnings.toSorted((left, right) => comparePositions(left.position, right.position)),
    };
  }
}
