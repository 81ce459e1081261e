import { setTimeout as delay } from 'node:timers/promises';

import mongoose, { type Connection } from 'mongoose';

import type { Task } from './task.js';

/** A service that starts while its database is down is started again until it is up; here the process only waits. */
export async function connect(task: Task, stop: AbortSignal): Promise<Connection> {
  for (;;) {
    const connection = mongoose.createConnection(task.uri, {
      dbName: task.database,
      appName: task.process,
      maxPoolSize: task.poolSize,
      serverSelectionTimeoutMS: 5_000,
    });
    try {
      return await connection.asPromise();
    } catch (error) {
      await connection.close();
      if (stop.aborted) throw error;
      await delay(100);
    }
  }
}
