import { newScheduler, newTimeline } from '@most/scheduler';
import type { Scheduler, Timer } from '@most/types';

/** A scheduler whose time stands still until the test moves it. */
export function virtualScheduler(): { scheduler: Scheduler; advanceTo(time: number): void } {
  let now = 0;
  const timer: Timer = {
    now: () => now,
    setTimer: () => {
      throw new Error('nothing under test schedules a task');
    },
    clearTimer: () => undefined,
  };
  return {
    scheduler: newScheduler(timer, newTimeline()),
    advanceTo: (time) => {
      now = time;
    },
  };
}
