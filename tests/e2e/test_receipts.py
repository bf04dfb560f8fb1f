"""Receipts cover one another: whatever way they come, a channel has paid its highest, once."""

import threading

import pytest

from client import postings_of
from follower import Follower
from formats import ChannelPosting, Signer
from harness import Refused, close, open_channel, receipt, top_up
from windlass.v1 import ledger_pb2

STREAMS, CHANNELS, RECEIPTS = 6, 3, 1_500
UNITS = 10**9


@pytest.fixture(scope="module")
def client(shared_ledger):
    with shared_ledger.client() as client:
        yield client


@pytest.fixture
def payer(shared_ledger, client):
    return shared_ledger.funded(client, UNITS)


@pytest.fixture
def seeder(shared_ledger, client):
    return shared_ledger.funded(client, UNITS)


def is_covered(answer):
    return isinstance(answer, ledger_pb2.Covered)


def claim_in(client, sequence, key):
    """(channel, claimed) of a claim's entry, as its recipient may see it."""
    (posting,) = [p for p in postings_of(client.entry(sequence, key).postings) if isinstance(p, ChannelPosting)]
    return posting.channel, posting.claimed


def test_many_on_many_streams_pay_exactly_the_highest(shared_ledger, client, payer, rng):
    seeders = [shared_ledger.funded(client, UNITS) for _ in range(CHANNELS)]
    channels = [client.do(payer, **open_channel(seeder.key, 10 * RECEIPTS)).sequence for seeder in seeders]
    receipts = [
        (i, cumulative) for i in range(CHANNELS) for cumulative in rng.sample(range(1, 10 * RECEIPTS), RECEIPTS)
    ]
    highest = [max(cumulative for i, cumulative in receipts if i == k) for k in range(CHANNELS)]
    rng.shuffle(receipts)
    signed = [client.sign(payer, **receipt(channels[i], cumulative)) for i, cumulative in receipts]
    size = client.size()

    answers = [None] * STREAMS

    def run(stream):
        with shared_ledger.client() as own:
            answers[stream] = own.send_all(signed[stream::STREAMS], per_message=40)

    threads = [threading.Thread(target=run, args=(stream,)) for stream in range(STREAMS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    accepted = set()
    for stream in range(STREAMS):
        for (i, cumulative), answer in zip(receipts[stream::STREAMS], answers[stream], strict=True):
            if is_covered(answer):
                assert cumulative <= answer.claimed
                assert claim_in(client, answer.sequence, seeders[i].key) == (channels[i], answer.claimed)
            else:
                accepted.add(answer.sequence)
                assert claim_in(client, answer.sequence, seeders[i].key) == (channels[i], cumulative)
    assert accepted == set(range(size, size + len(accepted))) and client.size() == size + len(accepted)
    for seeder, channel, most in zip(seeders, channels, highest):
        assert client.payment_channel(channel).claimed == most
        assert client.balance(seeder.key) == (UNITS + most, 0, 0)
    assert client.balance(payer.key) == (UNITS - CHANNELS * 10 * RECEIPTS, CHANNELS * 10 * RECEIPTS, 0)
    Follower().read_on(client)


def test_lower_ones_in_a_message_are_covered_by_its_highest(client, payer, seeder):
    channel = client.do(payer, **open_channel(seeder.key, 10_000)).sequence
    size = client.size()
    answers = client.send_all(
        [client.sign(payer, **receipt(channel, cumulative)) for cumulative in (10, 500, 20, 499, 500)]
    )
    assert [is_covered(answer) for answer in answers] == [True, False, True, True, True]
    assert {(answer.sequence, answer.claimed) for answer in answers if is_covered(answer)} == {
        (answers[1].sequence, 500)
    }
    assert client.size() == size + 1


def test_covered_means_that_the_claim_is_in_the_log(shared_ledger, client, payer, seeder):
    """Asked of another connection, the moment that the answer is there."""
    channel = client.do(payer, **open_channel(seeder.key, 100_000)).sequence
    messages = [[client.sign(payer, **receipt(channel, 10 * k + i)) for i in (1, 9, 5)] for k in range(100)]
    requests = iter([ledger_pb2.SubmitStreamRequest(commands=message) for message in messages])
    with shared_ledger.client() as other:
        for response in client.writes.SubmitStream(requests, timeout=60):
            for result in response.results:
                if result.HasField("covered"):
                    assert claim_in(other, result.covered.sequence, seeder.key) == (channel, result.covered.claimed)


def test_a_receipt_at_or_below_the_claim_is_covered_even_after_the_close(client, payer, seeder):
    channel = client.do(payer, **open_channel(seeder.key, 10_000)).sequence
    claim = client.do(payer, **receipt(channel, 700))
    client.do(seeder, **close(channel))
    before = client.totals()
    for cumulative in (1, 699, 700):
        covered = client.do(payer, **receipt(channel, cumulative))
        assert is_covered(covered) and (covered.sequence, covered.claimed) == (claim.sequence, 700)
    with pytest.raises(Refused, match="CHANNEL_CLOSED"):
        client.do(payer, **receipt(channel, 701))
    assert client.totals() == before


def test_covered_says_nothing_of_a_signature(client, payer, seeder):
    channel = client.do(payer, **open_channel(seeder.key, 10_000)).sequence
    client.do(payer, **receipt(channel, 700))
    for anybody in (seeder, Signer()):
        assert is_covered(client.do(anybody, **receipt(channel, 700)))


def test_a_close_claims_its_last_receipt(client, payer, seeder):
    channel = client.do(payer, **open_channel(seeder.key, 10_000)).sequence
    client.do(payer, **receipt(channel, 700))
    closed = client.do(seeder, **close(channel, client.sign(payer, **receipt(channel, 900))))
    assert client.balance(payer.key) == (UNITS - 900, 0, 0)
    assert client.balance(seeder.key) == (UNITS + 900, 0, 0)
    covered = client.do(payer, **receipt(channel, 900))
    assert is_covered(covered) and (covered.sequence, covered.claimed) == (closed.sequence, 900)


def test_receipts_wait_for_the_top_up_before_them(client, payer, seeder):
    """In one stream, in the order sent, though all of them are on their way at once."""
    channel = client.do(payer, **open_channel(seeder.key, 1_000)).sequence
    answers = client.send_all(
        [
            client.sign(payer, **receipt(channel, 1_000)),
            client.sign(payer, **receipt(channel, 1_500)),
            client.sign(payer, **top_up(channel, 1_000)),
            client.sign(payer, **receipt(channel, 1_500)),
        ],
        per_message=1,
    )
    assert isinstance(answers[1], Refused) and answers[1].reason == "ABOVE_DEPOSIT"
    assert [answer.sequence - channel for answer in (answers[0], *answers[2:])] == [1, 2, 3]
    assert client.balance(payer.key) == (UNITS - 2_000, 2_000, 0)
    assert client.balance(seeder.key) == (UNITS + 1_500, 0, 0)
