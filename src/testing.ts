/** For tests of what a service builds on the outbox; imports no test runner. */
export { publisherCases, type PublisherCase } from './testing/publisher-cases.js';
export type { PublisherCasesOptions, PublisherFixture, ReceivedMessage } from './testing/publisher-fixture.js';
