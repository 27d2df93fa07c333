/** What `ginit image` asks its worker thread for, and what it gets. All of it is plain data. */
import type { ImageCheck, ImageFile, ImageFormat } from '@ginit/block/image';

/** What is to be done. */
export type ImageTask =
  | { readonly command: 'info'; readonly image: ImageFile }
  | { readonly command: 'check'; readonly image: ImageFile; readonly repair: boolean }
  | {
      readonly command: 'create';
      readonly image: ImageFile;
      readonly sizeBytes: number | undefined;
      readonly clusterBytes: number | undefined;
      readonly fixed: boolean;
      readonly force: boolean;
    }
  | {
      readonly command: 'resize';
      readonly image: ImageFile;
      readonly sizeBytes: number;
      /** Whether the size is added to what there is. */
      readonly more: boolean;
      readonly shrink: boolean;
    }
  | { readonly command: 'compact'; readonly image: ImageFile }
  | {
      readonly command: 'convert';
      readonly image: ImageFile;
      readonly into: string;
      readonly intoFormat: ImageFormat | undefined;
      readonly clusterBytes: number | undefined;
      readonly compress: boolean;
      readonly force: boolean;
    }
  | SnapshotTask;

/** What is to be done with the snapshots of a disk. */
export interface SnapshotTask {
  readonly command: 'snapshot';
  readonly action: 'create' | 'list' | 'rollback' | 'delete';
  readonly image: ImageFile;
  readonly store: string;
  /** The size of a store that is to be made. */
  readonly storeBytes: number | undefined;
  readonly blockBytes: number;
  readonly chunkBytes: number;
  /** The snapshot; empty for `list`. */
  readonly name: string;
}

/** What `info` finds. */
export interface ImageInfo {
  readonly file: string;
  readonly format: ImageFormat;
  /** The format that the content suggests, if it is another one. */
  readonly seems: ImageFormat | undefined;
  readonly diskBytes: number;
  readonly fileBytes: number;
  /** The space that the file takes on the host. */
  readonly spaceBytes: number;
  readonly backing: { readonly name: string; readonly format: string | undefined } | undefined;
  /** What else the format has to say, by names for people. */
  readonly details: Readonly<Record<string, string | number>>;
}

/** A snapshot, as `snapshot list` shows it. */
export interface SnapshotInfo {
  readonly name: string;
  readonly createdMs: number;
  readonly diskBytes: number;
  /** What the store keeps for it. */
  readonly keptBytes: number;
}

/** What came of it. */
export type ImageResult =
  | { readonly command: 'info'; readonly info: ImageInfo }
  | {
      readonly command: 'check';
      readonly file: string;
      readonly check: ImageCheck;
      readonly repaired: boolean;
    }
  | { readonly command: 'create'; readonly info: ImageInfo }
  | {
      readonly command: 'resize';
      readonly file: string;
      readonly oldBytes: number;
      readonly diskBytes: number;
    }
  | {
      readonly command: 'compact';
      readonly file: string;
      readonly zeroBytes: number;
      readonly movedBytes: number;
      readonly spaceBefore: number;
      readonly spaceBytes: number;
    }
  | { readonly command: 'convert'; readonly info: ImageInfo }
  | {
      readonly command: 'snapshot';
      readonly action: SnapshotTask['action'];
      readonly name: string;
      readonly snapshots: readonly SnapshotInfo[];
      readonly totalBytes: number;
      readonly usedBytes: number;
    };

/** The end of a task: its result, the one thing that went wrong, or that somebody stopped it. */
export type ImageAnswer =
  | { readonly result: ImageResult }
  | { readonly problem: string }
  | { readonly interrupted: true };

/** What a `Progress` throws when somebody has stopped the task. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Is told how much of a task is done, from 0 to 1. May throw `Interrupted`. */
export type Progress = (share: number) => void;
