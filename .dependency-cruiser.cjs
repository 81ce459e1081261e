/**
 * The layers, from the top:
 *   index -> { service-outbox, inbox } -> { sequencer, tail, consumer } -> election -> store -> schema -> { options, message, errors, events, internal }
 * Beside them, publishers and what is for tests: { kafka, rabbitmq, …, testing } -> { publishers, testing/ } -> foundation
 * A file may import from its own layer and from every one below it; the three parts know nothing of each other.
 */
const FOUNDATION = '^src/((options|inbox-options|message|errors|events|publisher|handler|verdict)[.]ts$|internal/)';
const SCHEMA = '^src/schema/';
const STORE = '^src/store/';
const ELECTION = '^src/election/';
/** Subpaths of the package, and what they consist of; see package.json. */
const SUBPATHS = '^src/(kafka|rabbitmq|nats|redis|aws|webhook|cloudevents|testing)[.]ts$';
const OUTSIDE = '^src/(publishers|cloudevents|testing)/';
const PARTS = '^src/(sequencer|tail|consumer)/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Type-only imports count too: two files that need each other are one concept in two places.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'foundation-is-the-bottom',
      comment:
        'options, inbox-options, message, errors, events, publisher, handler, verdict and internal/ know no other layer.',
      severity: 'error',
      from: { path: FOUNDATION },
      to: { path: '^src/', pathNot: FOUNDATION },
    },
    {
      name: 'schema-is-below-store',
      comment: 'schema/ describes the collections; it sends no commands.',
      severity: 'error',
      from: { path: SCHEMA },
      to: { path: '^src/', pathNot: [SCHEMA, FOUNDATION] },
    },
    {
      name: 'store-is-below-the-parts',
      comment: 'store/ sends commands and decides nothing.',
      severity: 'error',
      from: { path: STORE },
      to: { path: '^src/', pathNot: [STORE, SCHEMA, FOUNDATION] },
    },
    {
      name: 'election-is-below-the-parts',
      comment: 'election/ holds leases for whichever part asks for one.',
      severity: 'error',
      from: { path: ELECTION },
      to: { path: '^src/', pathNot: [ELECTION, STORE, SCHEMA, FOUNDATION] },
    },
    {
      name: 'parts-are-strangers',
      comment: 'sequencer, tail and consumer get each other as small interfaces from service-outbox.ts.',
      severity: 'error',
      from: { path: PARTS },
      to: { path: PARTS, pathNot: '^src/$1/' },
    },
    {
      name: 'parts-are-below-the-facade',
      severity: 'error',
      from: { path: PARTS },
      to: { path: '^src/(index|service-outbox|puts|status|inbox)[.]ts$' },
    },
    {
      name: 'facades-are-strangers',
      comment: 'An inbox needs no outbox, nor an outbox an inbox.',
      severity: 'error',
      from: { path: '^src/(service-outbox|inbox)[.]ts$' },
      to: { path: '^src/(service-outbox|inbox)[.]ts$' },
    },
    {
      name: 'inbox-needs-no-part',
      comment: 'It has no loop: a transaction of the caller and store/ are all there is.',
      severity: 'error',
      from: { path: '^src/inbox[.]ts$' },
      to: { path: PARTS },
    },
    {
      name: 'publishers-know-messages-only',
      comment: 'A publisher gets messages and answers for them; it sees nothing of the database.',
      severity: 'error',
      from: { path: [OUTSIDE, SUBPATHS] },
      to: { path: '^src/', pathNot: [OUTSIDE, FOUNDATION] },
    },
    {
      name: 'nothing-needs-a-publisher',
      comment: 'A service that uses no broker of a subpath loads nothing of it.',
      severity: 'error',
      from: { path: '^src/', pathNot: [OUTSIDE, SUBPATHS] },
      to: { path: [OUTSIDE, SUBPATHS] },
    },
    {
      name: 'the-front-door-is-for-guests',
      comment: 'Inside the library everybody imports the file that has the thing.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/index[.]ts$' },
    },
    {
      name: 'no-folder-barrels',
      comment: 'An index.ts in a folder hides what depends on what, and makes cycles.',
      severity: 'error',
      from: {},
      to: { path: '^src/.+/index[.]ts$' },
    },
    {
      name: 'guests-use-the-front-door',
      comment: 'What the demo and the examples need, a user needs: it belongs into src/index.ts.',
      severity: 'error',
      from: { path: '^(demo|examples)/' },
      to: { path: '^src/', pathNot: ['^src/index[.]ts$', SUBPATHS] },
    },
    {
      name: 'src-stands-alone',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|dev|demo|bench|examples|scripts)/' },
    },
    {
      name: 'src-uses-what-users-install',
      comment: 'A development dependency is not there when the library runs; mongoose is a peer as well.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
