import type mongoose from 'mongoose';
import type { Connection } from 'mongoose';

/** The mongoose that a connection was made by; early declarations of mongoose 8 leave the property out. */
export function baseOf(connection: Connection): typeof mongoose {
  return (connection as unknown as { base: typeof mongoose }).base;
}
