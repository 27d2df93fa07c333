/** QEMU's tools as judges of images. */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isZero } from '../../src/lib/is-zero.ts';

const PIECE_BYTES = 1024 * 1024;
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** Why tests with these tools are skipped; `undefined` if they are there. */
export const QEMU_MISSING: string | undefined =
  spawnSync('qemu-img', ['--version']).status === 0 && spawnSync('qemu-io', ['--version']).status === 0
    ? undefined
    : 'qemu-img and qemu-io (Debian package qemu-utils) are not installed';

/** A directory for images that goes with its test. */
export class ImagePlace implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'ginit-image-'));

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, bytes: Uint8Array): string {
    const file = openSync(this.path(name), 'w');
    ftruncateSync(file, bytes.byteLength);
    // Zeros become holes, so that large disks cost little.
    for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      if (!isZero(piece)) writeSync(file, piece, 0, piece.byteLength, at);
    }
    closeSync(file);
    return this.path(name);
  }

  read(name: string): Uint8Array {
    return new Uint8Array(readFileSync(this.path(name)));
  }

  /** Runs a tool in the directory; a failure is an error with all that it said. */
  run(program: string, args: readonly string[]): string {
    const { status, output } = this.tryRun(program, args);
    if (status !== 0) throw new Error(`${program} ${args.join(' ')} exits with ${status}: ${output}`);
    return output;
  }

  /** Runs a tool in the directory. */
  tryRun(
    program: string,
    args: readonly string[],
  ): { readonly status: number | null; readonly output: string } {
    const result = spawnSync(program, args, {
      cwd: this.directory,
      encoding: 'utf8',
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    return { status: result.status, output: `${result.stdout}${result.stderr}` };
  }

  /** What `qemu-img check` says of an image; '' if it is clean. */
  checkByQemu(name: string, format: string): string {
    const { status, output } = this.tryRun('qemu-img', ['check', '-f', format, name]);
    return status === 0 ? '' : `exit ${status}: ${output}`;
  }

  /**
   * What `qemu-img compare` says of an image and the bytes that it should hold; '' if they agree.
   */
  compareByQemu(name: string, format: string, expected: Uint8Array): string {
    this.write('expected.raw', expected);
    const args = ['compare', '-f', format, '-F', 'raw', name, 'expected.raw'];
    const { status, output } = this.tryRun('qemu-img', args);
    return status === 0 ? '' : `exit ${status}: ${output}`;
  }
}
