import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { ServerProcess } from './server-process.js';

export interface MongodLaunch {
  readonly binary: string;
  /** Everything of this process lives here; the caller removes it. */
  readonly folder: string;
  readonly port: number;
  readonly args: readonly string[];
}

/** One mongod on 127.0.0.1, with data of its own. */
export function mongodProcess({ binary, folder, port, args }: MongodLaunch): ServerProcess {
  const data = join(folder, 'data');
  mkdirSync(data, { recursive: true });
  return new ServerProcess({
    name: 'mongod',
    binary,
    folder,
    port,
    args: [
      ...['--dbpath', data, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket'],
      // Several run at once on a small machine: neither half of its memory each, nor 5 % of its disk.
      ...(args.includes('--wiredTigerCacheSizeGB') ? [] : ['--wiredTigerCacheSizeGB', '0.5']),
      ...['--oplogSize', '512'],
      ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
      ...args,
    ],
  });
}
