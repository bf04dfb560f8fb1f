"""A ledger whose contents are not public: a party sees its own part, an auditor everything."""

import grpc
import pytest

from client import DEADLINE_S, HOUR_US, Ledger, command_pb2, ledger_pb2, now_us, postings_of, query_pb2
from formats import Leaf, Signer, decode_envelope, posting_root_of, sha256
from replay import Replay
from test_refusals import assert_refused


@pytest.fixture(scope="module")
def private(start_server):
    server = start_server("private", public_contents=False)
    with grpc.insecure_channel(server.grpc_address) as channel:
        grpc.channel_ready_future(channel).result(timeout=DEADLINE_S)
        yield Ledger(channel)


@pytest.fixture(scope="module")
def payment(private, roles):
    """-> (payer, recipient, acknowledgement)"""
    payer, recipient = Signer(), Signer()
    private.credit(roles.gateway, payer.key, 10_000)
    return payer, recipient, private.submit(payer, transfer=private.transfer(recipient.key, 4_000))


def read(ledger, auditor, count, expires_us=None):
    asked = query_pb2.AuditorRequest(first=0, count=count, expires_us=expires_us or now_us() + HOUR_US)
    request = asked.SerializeToString()
    signature = ledger_pb2.Signature(key=auditor.key, signature=auditor.sign(ledger.tag, request))
    whole = query_pb2.ReadEntriesRequest(first=0, count=count, request=request, signature=signature)
    return list(ledger.query.ReadEntries(whole, timeout=DEADLINE_S))


def test_an_auditor_reads_and_replays_everything(private, roles, payment):
    replayed = Replay()
    for entry in read(private, roles.auditor, 100):
        replayed.add(entry)
    assert replayed.leaf_hashes[payment[2].sequence] == payment[2].leaf_hash


def test_nobody_else_reads_everything(private, roles, payment):
    denied = grpc.StatusCode.PERMISSION_DENIED
    assert_refused(lambda: private.entries(0, 10), denied, "CONTENTS_NOT_PUBLIC")
    assert_refused(lambda: read(private, payment[0], 10), denied, "CONTENTS_NOT_PUBLIC")
    expired = grpc.StatusCode.FAILED_PRECONDITION
    assert_refused(lambda: read(private, roles.auditor, 10, now_us() - HOUR_US), expired, "EXPIRED")


def test_a_number_alone_shows_the_leaf_and_nothing_of_the_parties(private, payment):
    entry = private.entry(payment[2].sequence)
    assert entry.leaf == payment[2].leaf
    assert (entry.secret, entry.envelope, entry.envelope_salt, list(entry.postings)) == (b"", b"", b"", [])


def test_a_payment_s_recipient_sees_its_posting_and_the_envelope(private, payment):
    entry = private.entry(payment[2].sequence, payment[1].key)
    [shown] = entry.postings
    assert posting_root_of(shown) == Leaf.decode(entry.leaf).postings_root
    assert sha256(entry.envelope_salt, entry.envelope) == Leaf.decode(entry.leaf).envelope_hash
    assert entry.secret == b""


def test_a_list_s_recipient_sees_its_posting_and_not_the_envelope(private, payment):
    recipients = [Signer().key, Signer().key]
    payments = command_pb2.TransferList(asset=private.btt, recipients=b"".join(recipients), amounts=[1_000, 2_000])
    paid = private.submit(payment[0], transfer_list=payments)
    entry = private.entry(paid.sequence, recipients[1])
    assert [(posting.asset, posting.available) for posting in postings_of(entry.postings)] == [(private.btt, 2_000)]
    assert (entry.secret, entry.envelope, entry.envelope_salt) == (b"", b"", b"")
    assert private.entry(paid.sequence, payment[0].key).envelope


def test_genesis_is_public_with_its_secret(private):
    entry = private.entry(0)
    assert sha256(sha256(entry.secret, bytes(4)), entry.envelope) == Leaf.decode(entry.leaf).envelope_hash
    assert decode_envelope(entry.envelope)[1] == []
