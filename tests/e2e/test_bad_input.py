"""What a client may get wrong, or do on purpose: refused with a stable code and a sentence, without an effect on the
ledger or on anybody else."""

import contextlib
import itertools
import operator
import threading
import time
from types import SimpleNamespace

import grpc
import pytest

import bad_commands
import harness
from bad_commands import CLAIMED, DEPOSIT, FUNDS, OFF_THE_CURVE, altered, pay_seeder
from client import account_postings
from formats import Signer
from harness import Refused, close, open_channel, receipt, transfer
from processes import wait_until
from windlass.v1 import command_pb2, ledger_pb2, ledger_pb2_grpc, log_pb2, query_pb2

FAR = 10**9  # as a number of an entry: there are not so many
BAD_SIGNATURES = 10_000
WORST_P99_S = 0.5  # of payments beside them, on a machine that is busy with other tests; about 10 ms on one that is not
Code = grpc.StatusCode


@pytest.fixture(scope="module")
def world(shared_ledger):
    """Somebody who errs, and a neighbour on another connection."""
    with shared_ledger.client() as client, shared_ledger.client() as neighbour:
        w = SimpleNamespace(ledger=shared_ledger, client=client, neighbour=neighbour)
        w.payer, w.seeder, w.stranger, w.honest = (shared_ledger.funded(client, FUNDS) for _ in range(4))
        w.channel = client.do(w.payer, **open_channel(w.seeder.key, DEPOSIT)).sequence
        w.closed = client.do(w.payer, **open_channel(w.seeder.key, DEPOSIT)).sequence
        client.do(w.payer, **receipt(w.channel, CLAIMED))
        client.do(w.seeder, **close(w.closed))
        w.old, w.new = shared_ledger.funded(client, 10**6), Signer()
        rotate(client, w.old, w.new)
        yield w


def rotate(client, old, new):
    command = client.command(rotate_key=command_pb2.RotateKey(new_key=new.key))
    return client.send(client.signed(command, old, new))


@contextlib.contextmanager
def no_effect(w):
    """Nothing of the ledger changes within; afterwards the neighbour is served as before."""
    before = w.neighbour.totals()
    yield
    assert w.neighbour.totals() == before
    assert w.neighbour.do(w.honest, **transfer(w.seeder.key, 1)).sequence == before.size


def check_refusal(refused, reason, retry=False):
    assert isinstance(refused, Refused), f"{refused} instead of {reason}"
    assert (refused.reason, refused.retry) == (reason, retry)
    assert len(refused.message.split()) > 3, "no sentence"


def assert_refused(w, signed, reason, status, retry=False):
    """As a call, and in a stream among the neighbour's receipts, which are answered as if it were not there."""
    with no_effect(w):
        with pytest.raises(Refused) as call:
            w.client.send(signed)
        check_refusal(call.value, reason, retry)
        assert call.value.status == status
        good = w.client.sign(w.payer, **receipt(w.channel, CLAIMED))
        before, refused, after = w.client.send_all([good, signed, good])
        check_refusal(refused, reason, retry)
        assert before.claimed == after.claimed == CLAIMED


@pytest.mark.parametrize(
    "make, reason, status, retry",
    [pytest.param(make, reason, *more, id=f"{reason}: {what}") for reason, what, make, *more in bad_commands.cases()],
)
def test_refuses(world, make, reason, status, retry):
    assert_refused(world, make(world), reason, status, retry)


# Receipts


def forged(w, channel, cumulative):
    """Names the right key, signed by nobody who may."""
    return altered(w.client.sign(w.stranger, **receipt(channel, cumulative)), key=w.payer.key)


@pytest.mark.parametrize("forged_first", [True, False])
def test_takes_the_good_receipt_beside_a_forged_higher_one(world, forged_first):
    w = world
    channel = w.client.do(w.payer, **open_channel(w.seeder.key, DEPOSIT)).sequence
    good, bad = w.client.sign(w.payer, **receipt(channel, 300)), forged(w, channel, 9_000)
    results = w.client.send_all([bad, good] if forged_first else [good, bad])
    refused, accepted = results if forged_first else reversed(results)
    check_refusal(refused, "BAD_SIGNATURE")
    assert accepted.sequence == w.client.payment_channel(channel).claim_sequence
    assert w.client.payment_channel(channel).claimed == 300


def test_takes_the_good_receipts_beside_forged_higher_ones_of_another_stream(world):
    w = world
    channel = w.client.do(w.payer, **open_channel(w.seeder.key, DEPOSIT)).sequence
    good = [w.client.sign(w.payer, **receipt(channel, cumulative)) for cumulative in range(1, 400)]
    with w.ledger.client() as forger:
        bad = [forged(w, channel, 9_000 + i) for i in range(50)]
        answers = []
        thread = threading.Thread(target=lambda: answers.extend(forger.send_all(bad, per_message=1)))
        thread.start()
        honest = w.client.send_all(good, per_message=10)
        thread.join()
    for refused in answers:
        check_refusal(refused, "BAD_SIGNATURE")
    assert len(answers) == len(bad) and not any(isinstance(answer, Refused) for answer in honest)
    assert w.client.payment_channel(channel).claimed == 399


# Commands that come again, rotations


def test_answers_the_same_command_as_before(world):
    w = world
    signed = pay_seeder(w)
    first = w.client.send(signed)
    assert not first.repeated_command
    with no_effect(w):
        for again in (
            w.client.send(signed),
            w.neighbour.send(signed, promise=True),
            *w.client.send_all([signed, signed]),
        ):
            assert again.repeated_command
            assert (again.sequence, again.time_us, again.leaf_hash) == (first.sequence, first.time_us, first.leaf_hash)
            assert again.postings == first.postings
            w.client.verified(again)


def test_answers_two_of_the_same_in_one_message(world):
    w = world
    signed = pay_seeder(w)
    first, again = w.client.send_all([signed, signed])
    assert (first.repeated_command, again.repeated_command) == (False, True)
    assert first.sequence == again.sequence


def test_a_rotated_account_keeps_what_it_had(world):
    w = world
    old, new = w.ledger.funded(w.client, 10**6), Signer()
    before = w.client.account(old.key)
    rotated = rotate(w.client, old, new)
    after = w.client.account(new.key)
    assert (after.number, list(after.balances)) == (before.number, list(before.balances))
    assert w.client.account(old.key).rotated_at == rotated.sequence
    paid = w.client.do(w.payer, **transfer(new.key, 7))
    w.client.do(new, **transfer(w.seeder.key, 1))
    assert w.client.balance(new.key)[0] == 10**6 + 6
    assert account_postings(w.client.entry(paid.sequence, new.key).postings)[0].account == before.number


# Queries


def pages():
    """(what, method, request with a page's size or token)"""
    channels, history, anchors = query_pb2.ListChannelsRequest, query_pb2.GetHistoryRequest, log_pb2.ListAnchorsRequest
    yield "channels", "query.ListChannels", lambda w, **page: channels(key=w.payer.key, **page)
    yield "history", "query.GetHistory", lambda w, **page: history(key=w.payer.key, **page)
    yield "channel's history", "query.GetHistory", lambda w, **page: history(channel=w.channel, **page)
    yield "anchors", "log.ListAnchors", lambda w, **page: anchors(**page)


@pytest.mark.parametrize("method, request_of", [pytest.param(*values, id=what) for what, *values in pages()])
def test_refuses_wrong_pages(world, method, request_of):
    for size in (1001, 2**32 - 1):
        refuses_query(world, method, request_of(world, page_size=size), "BAD_PAGE_SIZE", Code.INVALID_ARGUMENT)
    for token in ("x", "-1", "1 ", "9" * 20, "'; DROP TABLE entries; --"):
        refuses_query(world, method, request_of(world, page_token=token), "BAD_PAGE_TOKEN", Code.INVALID_ARGUMENT)


def queries():
    """(method, request, reason)"""
    account, entry, history = query_pb2.GetAccountRequest, query_pb2.GetEntryRequest, query_pb2.GetHistoryRequest
    for key in (b"", bytes(32), OFF_THE_CURVE):
        yield "query.GetAccount", account(key=key), "BAD_KEY"
    yield "query.GetAccount", account(key=Signer().key), "UNKNOWN_KEY"
    yield "query.GetAccount", account(address=b"\x41" + bytes(20)), "UNKNOWN_KEY"
    yield "query.GetChannel", query_pb2.GetChannelRequest(channel=FAR), "UNKNOWN_CHANNEL"
    yield "query.GetEntry", entry(sequence=FAR), "UNKNOWN_ENTRY"
    yield "query.GetEntry", entry(sequence=2**64 - 1), "UNKNOWN_ENTRY"
    yield "query.GetEntry", entry(sequence=0, key=b"x"), "BAD_KEY"
    yield "query.GetHistory", history(key=Signer().key), "UNKNOWN_KEY"
    yield "query.GetHistory", history(channel=FAR), "UNKNOWN_CHANNEL"
    inclusion, consistency = log_pb2.GetInclusionProofRequest, log_pb2.GetConsistencyProofRequest
    yield "log.GetInclusionProof", inclusion(sequence=FAR), "UNKNOWN_ENTRY"
    yield "log.GetInclusionProof", inclusion(sequence=3, size=3), "BAD_TREE_SIZE"
    yield "log.GetInclusionProof", inclusion(sequence=0, size=FAR), "BAD_TREE_SIZE"
    yield "log.GetCheckpoint", log_pb2.GetCheckpointRequest(minimum_size=FAR), "NOT_SIGNED_YET"
    yield "log.GetConsistencyProof", consistency(old_size=3, size=2), "BAD_TREE_SIZE"
    yield "log.GetConsistencyProof", consistency(old_size=1, size=FAR), "BAD_TREE_SIZE"


@pytest.mark.parametrize("method, request_, reason", list(queries()))
def test_refuses_the_query(world, method, request_, reason):
    status = Code.UNAVAILABLE if reason == "NOT_SIGNED_YET" else Code.INVALID_ARGUMENT
    status = Code.NOT_FOUND if reason.startswith("UNKNOWN_") else status
    refuses_query(world, method, request_, reason, status, retry=status == Code.UNAVAILABLE)


def refuses_query(w, method, request, reason, status, retry=False):
    with no_effect(w), pytest.raises(Refused) as refused:
        w.client.ask(operator.attrgetter(method)(w.client), request)
    check_refusal(refused.value, reason, retry)
    assert refused.value.status == status


# Messages and connections


def latencies(w, count):
    """Of the neighbour's payments, in seconds, sorted."""
    out = []
    for _ in range(count):
        signed = w.neighbour.sign(w.honest, **transfer(w.seeder.key, 1))
        started = time.monotonic()
        w.neighbour.send(signed)
        out.append(time.monotonic() - started)
    return sorted(out)


RAW = {"request_serializer": lambda data: data, "response_deserializer": lambda data: data}


@pytest.mark.parametrize("message", [b"\xff\xff\xff", bytes(range(256)), b"\x0a\xff\xff\xff\xff\x0f"])
def test_refuses_messages_that_are_no_protobuf(world, message):
    with no_effect(world), harness.connect(world.ledger.server.grpc) as connection:
        for path in ("/windlass.v1.Ledger/Submit", "/windlass.v1.Query/GetAccount", "/windlass.v1.Admin/Execute"):
            with pytest.raises(grpc.RpcError):
                connection.unary_unary(path, **RAW)(message, timeout=harness.DEADLINE_S)
        stream = connection.stream_stream("/windlass.v1.Ledger/SubmitStream", **RAW)
        with contextlib.suppress(grpc.RpcError):
            assert list(stream(iter([message, message]), timeout=harness.DEADLINE_S)) == []


def test_refuses_messages_of_ten_megabytes(world):
    huge = ledger_pb2.SignedCommand(command=bytes(10 << 20))
    with no_effect(world), world.ledger.client() as client:
        for send in (client.send, lambda signed: client.send_all([signed])):
            with pytest.raises(Refused) as refused:
                send(huge)
            check_refusal(refused.value, "RESOURCE_EXHAUSTED")
        assert client.size() == world.neighbour.size()


def test_refuses_too_many_commands_in_a_message(world):
    signed = pay_seeder(world)
    with no_effect(world):
        for refused in world.client.send_all([signed] * 1025, per_message=1025):
            check_refusal(refused, "TOO_MANY_COMMANDS")


def test_does_not_read_from_a_client_that_does_not_read(world):
    w = world
    refused = ledger_pb2.SubmitStreamRequest(commands=[ledger_pb2.SignedCommand(command=b"\xff\xff")] * 1024)
    sent = itertools.count()
    progress = [0, time.monotonic()]
    done = threading.Event()

    def endless():
        while not done.is_set():
            progress[:] = next(sent), time.monotonic()
            yield refused

    before, memory_before = w.neighbour.totals(), w.ledger.server.resident_mib()
    with w.ledger.client() as client:
        stream = client.writes.SubmitStream(endless())
        wait_until(lambda: progress[0] > 0 and time.monotonic() - progress[1] > 1, "the server to read no more")
        assert w.ledger.server.resident_mib() - memory_before < 64
        assert max(latencies(w, 20)) < 10 * WORST_P99_S
        done.set()
        stream.cancel()
    assert w.neighbour.size() == before.size + 20
    # What went over the wire and lies in buffers, the server's bounds included: far from all of it.
    assert progress[0] < 1000


def test_shuts_out_who_sends_bad_signatures(world):
    w = world
    bad = altered(w.client.sign(w.stranger, **receipt(w.channel, 5_000)), key=w.payer.key)
    attack = [bad] * BAD_SIGNATURES
    with w.ledger.client() as attacker:
        ended = []

        def run():
            with pytest.raises(Refused) as refused:
                attacker.send_all(attack, per_message=1000)
            ended.append(refused.value)

        before = w.neighbour.totals()
        thread = threading.Thread(target=run)
        thread.start()
        waits = latencies(w, 200)
        thread.join()
        check_refusal(ended[0], "TOO_MANY_BAD_SIGNATURES")
        for signed in (bad, pay_seeder(w)):
            with pytest.raises(Refused) as refused:
                attacker.send(signed)
            check_refusal(refused.value, "TOO_MANY_BAD_SIGNATURES")
            assert refused.value.status == Code.RESOURCE_EXHAUSTED
    assert w.neighbour.size() == before.size + len(waits)
    assert waits[int(len(waits) * 0.99)] < WORST_P99_S
    with w.ledger.client() as reformed:
        assert reformed.do(w.stranger, **transfer(w.seeder.key, 1)).sequence == before.size + len(waits)


def test_serves_on_while_attackers_come_back(world):
    """Each of many connections sends as many bad signatures as it may."""
    w = world
    bad = altered(w.client.sign(w.stranger, **receipt(w.channel, 5_000)), key=w.payer.key)
    done = threading.Event()

    def attack():
        while not done.is_set():
            with harness.connect(w.ledger.server.grpc) as connection:
                stub = ledger_pb2_grpc.LedgerStub(connection)
                messages = iter([ledger_pb2.SubmitStreamRequest(commands=[bad] * 100)] * 5)
                with contextlib.suppress(grpc.RpcError):
                    list(stub.SubmitStream(messages, timeout=harness.DEADLINE_S))

    attackers = [threading.Thread(target=attack) for _ in range(3)]
    for thread in attackers:
        thread.start()
    waits = latencies(w, 200)
    done.set()
    for thread in attackers:
        thread.join()
    assert waits[int(len(waits) * 0.99)] < WORST_P99_S


def test_wakes_a_crowd_of_watchers(world):
    """More than may wait for a query: some are told to ask again, and nobody waits for them."""
    w = world
    with w.ledger.client() as client:
        request = query_pb2.GetAccountRequest(key=w.honest.key)
        watches = [client.query.WatchAccount(request, timeout=3 * harness.DEADLINE_S) for _ in range(3000)]
        for watch in watches:
            with contextlib.suppress(grpc.RpcError):
                next(watch)
        assert max(latencies(w, 20)) < harness.DEADLINE_S
        for watch in watches:
            watch.cancel()
