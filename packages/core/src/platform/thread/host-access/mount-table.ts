/**
 * The mounts of this process as the kernel lists them, in `/proc/self/mountinfo` (described in the
 * kernel's documentation of the proc file system): ID, parent, MAJOR:MINOR, root, mount point,
 * options, optional fields up to a `-`, type, source, options of the file system. Spaces, tabs,
 * newlines and backslashes are octal escapes.
 */

/** One mount. */
export interface MountEntry {
  /** MAJOR:MINOR: the same for all mounts of one file system, and for no other. */
  readonly device: string;
  readonly point: string;
  readonly type: string;
}

/** The mounts, the newest last. Lines that are none are left out. */
export function parseMountTable(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const end = fields.indexOf('-', 6);
    const [device, point, type] = [fields[2], fields[4], fields[end + 1]];
    if (end < 0 || device === undefined || point === undefined || type === undefined) return [];
    return [{ device, point: unescaped(point), type }];
  });
}

/** A path is bytes; here each character is one of them, as `latin1` has it. */
function unescaped(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
