/** The messages by which a client finds its way: attach, walk, clunk. */
import { type Fid, NO_FID, pathOf, stepped } from './fids.ts';
import { type Operation, qidOf } from './share.ts';
import { ERRNO, NinePError, type Qid } from './wire.ts';

/** The version of the protocol that is spoken. */
const VERSION = '9P2000.L';
const UNKNOWN_VERSION = 'unknown';
/** A shorter longest message is of no use. */
const MESSAGE_BYTES_MIN = 4096;
/** Steps of one walk. */
const STEPS_MAX = 16;

/** Tversion: begins anew; whatever was open is closed. */
export const version: Operation = async (share, ask, answer) => {
  const wanted = ask.u32();
  const spoken = ask.text();
  ask.end();
  if (wanted < MESSAGE_BYTES_MIN) throw new NinePError(ERRNO.invalid, 'messages too short');
  await share.fids.clunkAll();
  share.messageBytes = Math.min(wanted, share.options.messageBytes);
  answer.u32(share.messageBytes).text(spoken === VERSION ? VERSION : UNKNOWN_VERSION);
};

/** Tauth: nobody has to show who he is. */
export const auth: Operation = () => {
  throw new NinePError(ERRNO.notFound, 'there is nothing to be shown');
};

/** Tattach: a fid for the root of the share, or for a directory in it. */
export const attach: Operation = async (share, ask, answer) => {
  const number = ask.u32();
  ask.u32();
  ask.text();
  const names = ask
    .text()
    .split('/')
    .filter((name) => name !== '');
  const uid = ask.u32();
  ask.end();
  let path: readonly string[] = [];
  for (const name of names) path = stepped(path, name);
  const status = await share.files.lstat(pathOf(path));
  share.fids.add(number, { path, uid: uid === NO_FID ? share.options.uid : uid });
  answer.qid(qidOf(status));
};

/** Twalk: another fid for a node that is reached from one. */
export const walk: Operation = async (share, ask, answer) => {
  const from = ask.u32();
  const number = ask.u32();
  const count = ask.u16();
  if (count > STEPS_MAX) throw new NinePError(ERRNO.invalid, 'too many steps');
  const names = Array.from({ length: count }, () => ask.text());
  ask.end();
  const fid = share.fids.get(from);
  const { qids, path } = await steps(share, fid, names);
  if (qids.length === names.length) {
    const reached: Fid = { path, uid: fid.uid };
    if (number === from) {
      if (fid.file || fid.directory) throw new NinePError(ERRNO.badHandle, 'an open fid does not walk');
      share.fids.replace(number, reached);
    } else share.fids.add(number, reached);
  }
  answer.u16(qids.length);
  for (const qid of qids) answer.qid(qid);
};

/** The nodes that were reached, until a step that fails; throws if that is the first one. */
async function steps(
  share: Parameters<Operation>[0],
  { path: from }: Fid,
  names: readonly string[],
): Promise<{ readonly qids: readonly Qid[]; readonly path: readonly string[] }> {
  const qids: Qid[] = [];
  let path = from;
  for (const name of names) {
    try {
      const next = stepped(path, name);
      const status = await share.files.lstat(pathOf(next));
      path = next;
      qids.push(qidOf(status));
    } catch (error) {
      if (qids.length === 0) throw error;
      break;
    }
  }
  return { qids, path };
}

/** Tclunk: a fid is given up. */
export const clunk: Operation = async (share, ask) => {
  const number = ask.u32();
  ask.end();
  await share.fids.clunk(number);
};
