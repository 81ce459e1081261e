import {
  MongoAPIError,
  MongoClientClosedError,
  MongoExpiredSessionError,
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoNotConnectedError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
  MongoWriteConcernError,
  type TopologyDescription,
} from 'mongodb';
import { describe, expect, it } from 'vitest';

import { OutboxError } from '../../../src/errors.js';
import { decideResume } from '../../../src/internal/resume-decision.js';

const server = (code: number) => new MongoServerError({ code, message: `server error ${code}` });
const labelled = (code: number, label: string) => {
  const error = server(code);
  error.addErrorLabel(label);
  return error;
};

describe('a reader goes on after', () => {
  it.each<{ what: string; error: unknown }>([
    { what: 'a broken connection', error: new MongoNetworkError('closed') },
    { what: 'a timeout of the network', error: new MongoNetworkTimeoutError('timed out') },
    { what: 'CappedPositionLost (136)', error: server(136) },
    { what: 'CursorNotFound (43)', error: server(43) },
    { what: 'CursorKilled (237)', error: server(237) },
    { what: 'QueryPlanKilled (175)', error: server(175) },
    { what: 'Interrupted (11601)', error: server(11601) },
    { what: 'NotWritablePrimary (10107)', error: server(10107) },
    { what: 'InterruptedDueToReplStateChange (11602)', error: server(11602) },
    { what: 'PrimarySteppedDown (189)', error: server(189) },
    { what: 'ShutdownInProgress (91)', error: server(91) },
    { what: 'MaxTimeMSExpired (50)', error: server(50) },
    { what: 'ReadConcernMajorityNotAvailableYet (134)', error: server(134) },
    { what: 'SnapshotUnavailable (246)', error: server(246) },
    {
      what: 'a write concern that was not met',
      error: new MongoWriteConcernError({ ok: 1, writeConcernError: { code: 64, errmsg: 'timeout' } }),
    },
    {
      what: 'no server to be found in time',
      error: new MongoServerSelectionError('none', {} as TopologyDescription),
    },
    { what: 'a session that timed out', error: new MongoExpiredSessionError() },
    {
      what: 'an error that the driver calls transient, whatever its code',
      error: labelled(13, 'TransientTransactionError'),
    },
    { what: 'an error that the driver calls retryable, whatever its code', error: labelled(72, 'RetryableWriteError') },
    { what: 'an error nobody knows', error: new Error('?') },
    { what: 'no error at all', error: undefined },
    { what: 'an error of ours that a later try mends', error: new OutboxError('NOT_CONNECTED', 'not yet') },
  ])('$what', ({ error }) => {
    expect(decideResume(error)).toBe('again');
  });
});

describe('a reader ends with', () => {
  it.each<{ what: string; error: unknown }>([
    { what: 'POSITION_LOST', error: new OutboxError('POSITION_LOST', 'gone') },
    { what: 'CONNECTION_CLOSED', error: new OutboxError('CONNECTION_CLOSED', 'closed') },
    { what: 'Unauthorized (13)', error: server(13) },
    { what: 'AuthenticationFailed (18)', error: server(18) },
    { what: 'CommandNotFound (59)', error: server(59) },
    { what: 'InvalidOptions (72)', error: server(72) },
    { what: 'InvalidNamespace (73)', error: server(73) },
    { what: 'CommandNotSupportedOnView (166)', error: server(166) },
    { what: 'a client that was closed', error: new MongoClientClosedError() },
    { what: 'a client that is not connected', error: new MongoNotConnectedError('not connected') },
    { what: 'a topology that was closed', error: new MongoTopologyClosedError() },
    { what: 'a wrong argument', error: new MongoInvalidArgumentError('wrong') },
    { what: 'a misused driver', error: new MongoAPIError('misused') },
  ])('$what', ({ error }) => {
    expect(decideResume(error)).toBe('fail');
  });
});
