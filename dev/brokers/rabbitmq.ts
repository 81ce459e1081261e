import { chmod, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { isExecutable, outputOf } from '../executables.js';

import { resolveServer, type WantedServer } from './server-binary.js';
import { firstAnswer, startBroker, type Broker, type BrokerOptions } from './start-broker.js';

/** https://www.rabbitmq.com */
export const rabbitmqServer: WantedServer = {
  name: 'RabbitMQ',
  variable: 'RABBITMQ_SERVER_BINARY',
  command: 'rabbitmq-server',
  inPackage: 'usr/lib/rabbitmq/bin/rabbitmq-server',
  prepare: relocateErlang,
  packageEnv: (folder) => ({ PATH: `${join(folder, 'usr', 'bin')}:${process.env['PATH'] ?? ''}` }),
  behind: async (command) => {
    // Debian's command only changes the user, and refuses those who may not.
    const script = '/usr/lib/rabbitmq/bin/rabbitmq-server';
    return (await isExecutable(script)) ? script : command;
  },
  versionOf: async (binary, env) => {
    const plugins = join(dirname(await realpath(binary)), '..', 'plugins');
    const entries = await readdir(plugins).catch(() => []);
    const version = entries.map((entry) => /^rabbit-([0-9]\S*?)(\.ez)?$/.exec(entry)?.[1]).find((found) => found);
    if (version === undefined) throw new Error(`${binary} does not look like RabbitMQ: no rabbit-* in ${plugins}`);
    const otp = 'io:put_chars(erlang:system_info(otp_release)), halt().';
    const erlang = await outputOf('erl', ['-noinput', '-boot', 'start_clean', '-eval', otp], {
      env,
      timeoutMs: 30_000,
    });
    return `${version} on Erlang ${erlang}`;
  },
};

export interface RabbitmqOptions extends BrokerOptions {
  /** Further lines of its configuration: `['vm_memory_high_watermark.absolute = 500MB']`. */
  readonly config?: readonly string[];
}

/** Starts a RabbitMQ without plugins, on loopback alone. */
export async function startRabbitmq({ config = [], ...options }: RabbitmqOptions = {}): Promise<Broker> {
  const server = await resolveServer(rabbitmqServer);
  return startBroker(
    {
      name: 'rabbitmq',
      server,
      scheme: 'amqp',
      // The user that it makes by itself; not every client knows of it.
      userinfo: 'guest:guest@',
      morePorts: 2,
      launch: ({ folder, port, morePorts: [epmdPort, distPort] }) => {
        for (const each of ['home', 'data', 'log']) mkdirSync(join(folder, each));
        const settings = [
          `listeners.tcp.1 = 127.0.0.1:${port}`,
          'log.console = true',
          'log.console.level = warning',
          'log.file = false',
          // Several servers run at once on a small machine.
          'vm_memory_high_watermark.absolute = 400MB',
          'disk_free_limit.absolute = 50MB',
          ...config,
        ];
        writeFileSync(join(folder, 'rabbitmq.conf'), `${settings.join('\n')}\n`);
        writeFileSync(join(folder, 'enabled_plugins'), '[].\n');
        writeFileSync(join(folder, 'start.sh'), startScript);
        return {
          binary: '/bin/sh',
          args: [join(folder, 'start.sh'), server.binary],
          env: {
            // The cookie of Erlang's own protocol is made there.
            HOME: join(folder, 'home'),
            ERL_EPMD_PORT: String(epmdPort),
            ERL_EPMD_ADDRESS: '127.0.0.1',
            RABBITMQ_NODENAME: `rabbit-${port}@localhost`,
            RABBITMQ_DIST_PORT: String(distPort),
            RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
            RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
            RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
            RABBITMQ_MNESIA_BASE: join(folder, 'data'),
            RABBITMQ_LOG_BASE: join(folder, 'log'),
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +S 2:2',
            // The script then becomes the server, instead of waiting beside it.
            RUNNING_UNDER_SYSTEMD: 'true',
          },
          // It answers as soon as its listener is open, which is the last thing that it does when it starts.
          isReady: async () => (await firstAnswer(port, 'AMQP\0\0\x09\x01')).includes('RabbitMQ'),
        };
      },
    },
    options,
  );
}

/**
 * Erlang would start the port mapper as a daemon that outlives it. Here it is started before, in the server's own process
 * group, and dies with the server also where that is killed alone.
 */
const startScript = `
die=
[ -x /usr/bin/setpriv ] && die='/usr/bin/setpriv --pdeathsig KILL --'
$die epmd &
tries=0
until epmd -names >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ "$tries" -gt 200 ] && echo 'epmd did not start' && exit 1
  sleep 0.05
done
exec "$1"
`;

/** Debian's `erl` has /usr/lib/erlang written into it. */
async function relocateErlang(folder: string): Promise<void> {
  const erl = join(folder, 'usr', 'lib', 'erlang', 'bin', 'erl');
  await rm(erl, { force: true });
  await writeFile(
    erl,
    `#!/bin/sh
ROOTDIR=$(dirname "$(dirname "$(readlink -f "$0")")")
for BINDIR in "$ROOTDIR"/erts-*/bin; do :; done
EMU=beam
PROGNAME=erl
export ROOTDIR BINDIR EMU PROGNAME
exec "$BINDIR/erlexec" "$@"
`,
  );
  await chmod(erl, 0o755);
}
