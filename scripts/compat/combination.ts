/** Versions that the tests run on together. Partial ones ("8", "20.19") mean the newest that begins so. */
export interface Combination {
  /** Always whole: no server is taken for another. */
  readonly mongod: string;
  readonly mongoose: string;
  readonly node: string;
}

/** What the library says it works on: the oldest and the newest of each, and the servers that tests can be given. */
export const versions = {
  mongod: ['5.0.32', '6.0.5', '6.0.27'],
  mongoose: ['8.16.0', '8', '9'],
  node: ['20.19', '22', '24'],
} as const;

/** Each version once, in as few runs as that takes; the oldest ones are together. */
const eachOnce: readonly Combination[] = [
  { mongod: '5.0.32', mongoose: '8.16.0', node: '20.19' },
  { mongod: '6.0.27', mongoose: '8', node: '22' },
  { mongod: '6.0.5', mongoose: '9', node: '24' },
];

export interface Choice {
  readonly all?: boolean;
  /** Names of combinations, of any versions. */
  readonly only?: readonly string[];
}

/** @throws RangeError where a name in `only` is none */
export function chooseCombinations({ all = false, only = [] }: Choice): readonly Combination[] {
  if (only.length > 0) return only.map(parseCombination);
  if (!all) return eachOnce;
  return versions.mongod.flatMap((mongod) =>
    versions.mongoose.flatMap((mongoose) => versions.node.map((node) => ({ mongod, mongoose, node }))),
  );
}

export function nameOf({ mongod, mongoose, node }: Combination): string {
  return `${mongod}/${mongoose}/${node}`;
}

function parseCombination(name: string): Combination {
  const [mongod = '', mongoose = '', node = '', ...more] = name.split('/');
  const whole = /^\d+\.\d+\.\d+$/;
  const partial = /^\d+(\.\d+){0,2}$/;
  if (!whole.test(mongod) || !partial.test(mongoose) || !partial.test(node) || more.length > 0)
    throw new RangeError(
      `a combination is mongod/mongoose/Node, for example ${nameOf(eachOnce[0] as Combination)}, got "${name}"`,
    );
  return { mongod, mongoose, node };
}
