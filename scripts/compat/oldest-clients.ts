/** What is no client, or is installed by a step of its own. */
const others = ['mongoose', '@confluentinc/kafka-javascript'];
/** What has the version of a client, and is no peer. */
const companions: Readonly<Record<string, string>> = { '@nats-io/jetstream': '@nats-io/transport-node' };

/** @returns what npm installs for the oldest version of each range: "kafkajs@2.2.0" */
export function oldestClients(peerDependencies: Readonly<Record<string, string>>): string[] {
  return Object.entries(peerDependencies)
    .filter(([name]) => !others.includes(name))
    .flatMap(([name, range]) => {
      const oldest = /^\^(\d+\.\d+\.\d+)/.exec(range)?.[1];
      if (oldest === undefined)
        throw new RangeError(`expected a range that begins with ^1.2.3 for ${name}, got "${range}"`);
      const companion = companions[name];
      return [`${name}@${oldest}`, ...(companion === undefined ? [] : [`${companion}@${oldest}`])];
    });
}
