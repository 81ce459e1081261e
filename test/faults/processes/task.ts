import type { ServiceOutboxOptions } from '../../../src/index.js';
import type { Place } from '../brokers/broker.js';
import type { Release } from './messages.js';

export type Role = 'writer' | 'reader' | 'worker' | 'drainer' | 'admin' | 'destination';

/** What a process of a fault run is to do. */
export interface Task {
  readonly role: Role;
  /** Also the name of its history file, and the `appName` of its connections, by which a fail point finds them. */
  readonly process: string;
  readonly seed: number;
  /** Where histories are written. */
  readonly folder: string;
  readonly uri: string;
  readonly database: string;
  readonly options: Omit<ServiceOutboxOptions, 'connection' | 'currentSession'>;
  readonly release: Release;
  /** Connections that its pool may open. */
  readonly poolSize: number;
  /** By how much its wall clock is wrong when it starts. */
  readonly clockMs: number;
  /** Where the relay's destination listens. */
  readonly destination: string;
  /** Where the relay publishes instead, if at all. */
  readonly broker?: Place;
  readonly load: Load;
}

/** How hard the writers work. */
export interface Load {
  /** Writers' transactions at the same time, per process. */
  readonly lanes: number;
  /** Between two transactions of a lane, on average. */
  readonly pauseMs: number;
  /** Longest transaction. */
  readonly longMs: number;
  /** Most messages of a transaction. */
  readonly largest: number;
  /** Bytes that are added to each message. */
  readonly padBytes: number;
  /** What part of messages fail their first attempts, and for good. */
  readonly failing: number;
  readonly poison: number;
}

/** How the destination behaves. */
export type Mood = 'up' | 'down' | 'slow' | 'refuses batches' | 'refuses messages' | 'answers late';

export type Order =
  | { readonly kind: 'stop' }
  /** Sets the wall clock wrong by so much from now on. */
  | { readonly kind: 'clock'; readonly ms: number }
  | { readonly kind: 'mood'; readonly mood: Mood };

export type Report =
  | { readonly kind: 'ready' }
  /** How far a reader has come. */
  | { readonly kind: 'read'; readonly position: number }
  /** Something that must not happen, whatever the faults. */
  | { readonly kind: 'violation'; readonly text: string }
  | { readonly kind: 'note'; readonly text: string };
