import type { ConsumerInfo } from '../handler.js';
import type { StoredConsumer } from '../store/list-consumers.js';

/** What the owner told with a renewal. */
interface Report {
  epoch?: number;
  state?: ConsumerInfo['state'];
  lastError?: ConsumerInfo['lastError'];
  inFlight?: ConsumerInfo['inFlight'];
}

/**
 * @param newest the last position of the log
 * @param standsBy whether this process has a consumer of that name that waits for its turn
 */
export function toConsumerInfo(stored: StoredConsumer, newest: number, now: Date, standsBy: boolean): ConsumerInfo {
  const { name, position, owner, epoch, alive, paused, retrying, dead, oldestWaiting } = stored;
  const told = (stored.report ?? {}) as Report;
  // What an earlier owner told holds no more, once there is another.
  const report: Report = alive && told.epoch !== epoch ? { lastError: told.lastError ?? null } : told;
  const lag = Math.max(0, newest - position);
  return {
    name,
    position,
    lag,
    lagMs: lag === 0 || oldestWaiting === undefined ? 0 : Math.max(0, now.getTime() - oldestWaiting.getTime()),
    state: consumerState(paused !== null, alive, report.state, standsBy),
    owner: alive ? owner : null,
    epoch,
    retrying,
    dead,
    lastError: report.lastError ?? null,
    paused,
    inFlight: alive ? (report.inFlight ?? []).map((entry) => ({ ...entry })) : [],
    updatedAt:
      stored.renewedAt !== undefined && stored.renewedAt > stored.checkpointAt ? stored.renewedAt : stored.checkpointAt,
  };
}

/** @param told the state that the owner, or the last one, told of itself */
export function consumerState(
  paused: boolean,
  alive: boolean,
  told: ConsumerInfo['state'] | undefined,
  standsBy: boolean,
): ConsumerInfo['state'] {
  if (paused) return 'paused';
  // Just acquired, and nothing told yet.
  if (alive) return told === undefined || told === 'stopped' ? 'running' : told;
  // It left its place for a reason that is still there.
  if (told === 'blocked') return 'blocked';
  return standsBy ? 'standby' : 'stopped';
}
