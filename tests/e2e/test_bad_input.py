"""What a client may get wrong, or do on purpose: refused with a stable code and a sentence, without an effect on the ledger
or on anybody else."""

import contextlib
import itertools
import threading
import time
from types import SimpleNamespace

import grpc
import pytest

import harness
from client import HOUR_US, account_postings, now_us
from formats import Signer
from harness import DAY_US, MINIMUM, Refused, close, open_channel, receipt, top_up, transfer, transfer_list
from processes import wait_until
from windlass.v1 import command_pb2, ledger_pb2, log_pb2, query_pb2

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
OFF_THE_CURVE = b"\x02" + b"\xff" * 32
MOST = 2**63 - 1
DEPOSIT, CLAIMED = 10_000, 100
BAD_SIGNATURES = 10_000
WORST_P99_S = 0.5  # of payments beside them, on a machine that is busy with other tests; about 10 ms on one that is not
Code = grpc.StatusCode


@pytest.fixture(scope="module")
def world(shared_ledger):
    """Somebody who errs, and a neighbour on another connection."""
    with shared_ledger.client() as client, shared_ledger.client() as neighbour:
        w = SimpleNamespace(ledger=shared_ledger, client=client, neighbour=neighbour)
        w.payer, w.seeder, w.stranger, w.honest = (shared_ledger.funded(client, 10**6) for _ in range(4))
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


# Each case makes a SignedCommand of the world.


def resigned(signed, **changes):
    """With other fields in its signature."""
    copy = ledger_pb2.SignedCommand()
    copy.CopyFrom(signed)
    for name, value in changes.items():
        setattr(copy.signatures[0], name, value)
    return copy


def payment(w, **more):
    return w.client.sign(w.payer, **transfer(w.seeder.key, 5), **more)


def of_bytes(w, command):
    return w.client.signed(command, w.payer)


def with_unknown_field(message):
    """Field 1000, a varint: whatever it may mean to others."""
    return type(message).FromString(message.SerializeToString() + b"\xc0\x3e\x01")


def high_s(signed):
    signature = signed.signatures[0].signature
    return signature[:32] + (CURVE_ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")


def with_last_receipt(w, channel=None, cumulative=200, by=None, change=lambda last: last):
    last = w.client.sign(by or w.payer, **receipt(channel or w.channel, cumulative))
    return w.client.sign(w.seeder, **close(w.channel, change(last)))


def for_another_ledger(w):
    command = w.client.command(**transfer(w.seeder.key, 5))
    tag = w.client.tag[:-1] + bytes([w.client.tag[-1] ^ 1])
    signature = ledger_pb2.Signature(key=w.payer.key, signature=w.payer.sign(tag, command))
    return ledger_pb2.SignedCommand(command=command, signatures=[signature])


def seen_nonce(w):
    """Of a payment that was accepted, with other bytes."""
    nonce = time.time_ns()
    w.client.do(w.payer, nonce=nonce, **transfer(w.seeder.key, 1))
    return w.client.sign(w.payer, nonce=nonce, **transfer(w.seeder.key, 2))


def nonce_below_those_kept(w):
    payer, first = w.ledger.funded(w.client), 1_000
    for nonce in range(first, first + 16):
        w.client.do(payer, nonce=nonce, **transfer(w.seeder.key, 1))
    return w.client.sign(payer, nonce=first - 1, **transfer(w.seeder.key, 1))


def bad_lists():
    def among(bad):
        return lambda w: w.client.sign(w.payer, **transfer_list([(w.seeder.key, 5), bad(w), (Signer().key, MINIMUM)]))

    yield "nothing", among(lambda w: (w.seeder.key, 0)), "BAD_AMOUNT"
    yield "less than nothing", among(lambda w: (w.seeder.key, -1)), "BAD_AMOUNT"
    yield "to oneself", among(lambda w: (w.payer.key, 5)), "SELF_PAYMENT"
    yield "off the curve", among(lambda w: (OFF_THE_CURVE, MINIMUM)), "BAD_KEY"
    yield "short key", among(lambda w: (w.seeder.key[:32], 5)), "BAD_LIST"
    yield "rotated away", among(lambda w: (w.old.key, 5)), "KEY_ROTATED"
    yield "too little for a newcomer", among(lambda w: (Signer().key, MINIMUM - 1)), "BELOW_MINIMUM_FIRST_CREDIT"
    yield "more than there is", among(lambda w: (w.seeder.key, 10**6)), "INSUFFICIENT_FUNDS"
    yield "more than fits", among(lambda w: (w.seeder.key, MOST)), "INSUFFICIENT_FUNDS"
    yield "no payment", lambda w: w.client.sign(w.payer, **transfer_list([])), "BAD_LIST"
    yield "1,025 payments", lambda w: w.client.sign(w.payer, **transfer_list([(w.seeder.key, 1)] * 1025)), "BAD_LIST"


def bad_keys():
    for length in (0, 32, 34, 65):
        key = (b"\x02" + bytes(range(64)))[:length]
        yield f"signer of {length}", lambda w, key=key: resigned(payment(w), key=key), "BAD_KEY"
        yield f"recipient of {length}", lambda w, key=key: w.client.sign(w.payer, **transfer(key, 5_000)), "BAD_KEY"
        yield f"channel to {length}", lambda w, key=key: w.client.sign(w.payer, **open_channel(key, 5_000)), "BAD_KEY"
    yield "signer's first byte", lambda w: resigned(payment(w), key=b"\x05" + w.payer.key[1:]), "BAD_KEY"
    yield "signer off the curve", lambda w: resigned(payment(w), key=OFF_THE_CURVE), "BAD_KEY"
    yield "recipient off the curve", lambda w: w.client.sign(w.payer, **transfer(OFF_THE_CURVE, 5_000)), "BAD_KEY"
    yield "channel off the curve", lambda w: w.client.sign(w.payer, **open_channel(OFF_THE_CURVE, 5_000)), "BAD_KEY"
    key = dict(receipt_key=OFF_THE_CURVE)
    yield "receipt key off the curve", lambda w: w.client.sign(w.payer, **open_channel(w.seeder.key, 5_000, **key)), "BAD_KEY"
    key_65 = dict(receipt_key=bytes(65))
    yield "receipt key of 65", lambda w: w.client.sign(w.payer, **open_channel(w.seeder.key, 5_000, **key_65)), "BAD_KEY"
    yield "other new key than signs", other_new_key, "BAD_KEY"


def other_new_key(w):
    command = w.client.command(rotate_key=command_pb2.RotateKey(new_key=Signer().key))
    return w.client.signed(command, w.payer, Signer())


def to_a_known_key(w):
    command = w.client.command(rotate_key=command_pb2.RotateKey(new_key=w.seeder.key))
    return w.client.signed(command, w.payer, w.seeder)


def asset_of(body):
    return lambda w: w.client.sign(w.payer, **body(w))


def cases():
    """(what is wrong, SignedCommand of the world, reason, status[, retry])"""
    bad = Code.INVALID_ARGUMENT
    yield "no protobuf", lambda w: of_bytes(w, b"\xff\xff"), "MALFORMED_COMMAND", bad
    yield "cut short", lambda w: of_bytes(w, w.client.command(**transfer(w.seeder.key, 5))[:-1]), "MALFORMED_COMMAND", bad
    yield "no bytes at all", lambda w: of_bytes(w, b""), "EMPTY_COMMAND", bad
    yield "no body", lambda w: of_bytes(w, w.client.command()), "EMPTY_COMMAND", bad
    yield "too large", lambda w: of_bytes(w, bytes(48 * 1024 + 1)), "COMMAND_TOO_LARGE", bad
    yield "unknown field", lambda w: of_bytes(w, w.client.command(**transfer(w.seeder.key, 5)) + b"\xc0\x3e\x01"), "UNKNOWN_FIELD", bad
    for name, body in [
        ("transfer", lambda w: transfer(w.seeder.key, 5)),
        ("list", lambda w: transfer_list([(w.seeder.key, 5)])),
        ("channel", lambda w: open_channel(w.seeder.key, 5_000)),
        ("top-up", lambda w: top_up(w.channel, 5)),
        ("close", lambda w: close(w.channel)),
        ("receipt", lambda w: receipt(w.channel, 150)),
    ]:
        def unknown_within(w, body=body):
            ((kind, message),) = body(w).items()
            return w.client.sign(w.payer, **{kind: with_unknown_field(message)})

        yield f"unknown field in a {name}", unknown_within, "UNKNOWN_FIELD", bad

    def unknown_in_last(last):
        last.command += b"\xc0\x3e\x01"
        return last

    yield "unknown field in the last receipt", lambda w: with_last_receipt(w, change=unknown_in_last), "UNKNOWN_FIELD", bad

    for what, make, reason in bad_keys():
        yield what, make, reason, bad
    for length in (0, 63, 65, 72):
        yield f"signature of {length}", lambda w, length=length: resigned(payment(w), signature=bytes(length)), "BAD_SIGNATURE_FORMAT", bad
    yield "signature of zeros", lambda w: resigned(payment(w), signature=bytes(64)), "BAD_SIGNATURE", Code.UNAUTHENTICATED
    yield "signature above the order", lambda w: resigned(payment(w), signature=b"\xff" * 64), "BAD_SIGNATURE_FORMAT", bad
    yield "high s", lambda w: resigned(payment(w), signature=high_s(payment(w))), "HIGH_S", bad
    yield "nobody's signature", lambda w: w.client.signed(w.client.command(**transfer(w.seeder.key, 5))), "WRONG_SIGNER_COUNT", bad
    yield "two signatures", lambda w: w.client.signed(w.client.command(**transfer(w.seeder.key, 5)), w.payer, w.payer), "WRONG_SIGNER_COUNT", bad
    yield "rotation without the new key", lambda w: w.client.sign(w.payer, rotate_key=command_pb2.RotateKey(new_key=Signer().key)), "WRONG_SIGNER_COUNT", bad
    yield "another's signature", lambda w: resigned(payment(w), key=w.stranger.key), "BAD_SIGNATURE", Code.UNAUTHENTICATED
    yield "for another ledger", for_another_ledger, "BAD_SIGNATURE", Code.UNAUTHENTICATED

    for amount in (0, -1, -MOST - 1):
        yield f"pays {amount}", lambda w, amount=amount: w.client.sign(w.payer, **transfer(w.seeder.key, amount)), "BAD_AMOUNT", bad
        yield f"locks {amount}", lambda w, amount=amount: w.client.sign(w.payer, **open_channel(w.seeder.key, amount)), "BAD_AMOUNT", bad
        yield f"receipt of {amount}", lambda w, amount=amount: w.client.sign(w.payer, **receipt(w.channel, amount)), "BAD_AMOUNT", bad
    yield "tops up by -1", lambda w: w.client.sign(w.payer, **top_up(w.channel, -1)), "BAD_AMOUNT", bad
    refused = Code.FAILED_PRECONDITION
    yield "pays more than there is", lambda w: w.client.sign(w.payer, **transfer(w.seeder.key, MOST)), "INSUFFICIENT_FUNDS", refused
    yield "locks more than there is", lambda w: w.client.sign(w.payer, **open_channel(w.seeder.key, MOST)), "INSUFFICIENT_FUNDS", refused
    yield "tops up by more than there is", lambda w: w.client.sign(w.payer, **top_up(w.channel, MOST)), "INSUFFICIENT_FUNDS", refused
    for what, make, reason in bad_lists():
        is_static = reason in ("BAD_AMOUNT", "SELF_PAYMENT", "BAD_KEY", "BAD_LIST")
        yield f"list: {what}", make, reason, bad if is_static else refused

    yield "unknown channel", lambda w: w.client.sign(w.payer, **receipt(w.channel + 10**6, 5)), "UNKNOWN_CHANNEL", Code.NOT_FOUND
    yield "channel of the largest number", lambda w: w.client.sign(w.payer, **receipt(2**64 - 1, 5)), "UNKNOWN_CHANNEL", Code.NOT_FOUND
    yield "an entry that opened nothing", lambda w: w.client.sign(w.payer, **receipt(0, 5)), "UNKNOWN_CHANNEL", Code.NOT_FOUND
    yield "above the deposit", lambda w: w.client.sign(w.payer, **receipt(w.channel, DEPOSIT + 1)), "ABOVE_DEPOSIT", refused
    yield "the largest receipt", lambda w: w.client.sign(w.payer, **receipt(w.channel, MOST)), "ABOVE_DEPOSIT", refused
    yield "another's receipt", lambda w: w.client.sign(w.seeder, **receipt(w.channel, 500)), "WRONG_RECEIPT_KEY", Code.PERMISSION_DENIED
    yield "closed channel", lambda w: w.client.sign(w.payer, **receipt(w.closed, 5)), "CHANNEL_CLOSED", refused
    yield "closes another's channel", lambda w: w.client.sign(w.stranger, **close(w.channel)), "NOT_A_PARTY", Code.PERMISSION_DENIED
    yield "tops up another's channel", lambda w: w.client.sign(w.stranger, **top_up(w.channel, 5)), "NOT_A_PARTY", Code.PERMISSION_DENIED
    yield "closes too early", lambda w: w.client.sign(w.payer, **close(w.channel)), "NOT_YET_RECLAIMABLE", refused, True
    yield "closes with another's receipt", lambda w: with_last_receipt(w, channel=w.closed), "RECEIPT_CHANNEL_MISMATCH", bad
    yield "closes with a forged receipt", lambda w: with_last_receipt(w, change=lambda last: resigned(last, key=w.payer.key, signature=payment(w).signatures[0].signature)), "BAD_SIGNATURE", Code.UNAUTHENTICATED
    yield "closes with its own receipt", lambda w: with_last_receipt(w, by=w.seeder), "WRONG_RECEIPT_KEY", Code.PERMISSION_DENIED
    yield "closes above the deposit", lambda w: with_last_receipt(w, cumulative=DEPOSIT + 1), "ABOVE_DEPOSIT", refused
    yield "channel that has expired", lambda w: w.client.sign(w.payer, **open_channel(w.seeder.key, 5_000, life_us=-1)), "BAD_CHANNEL_EXPIRY", bad
    yield "channel for 11 years", lambda w: w.client.sign(w.payer, **open_channel(w.seeder.key, 5_000, life_us=11 * 366 * DAY_US)), "BAD_CHANNEL_EXPIRY", bad

    yield "no nonce", lambda w: payment(w, nonce=0), "MISSING_NONCE", bad
    yield "a nonce again", seen_nonce, "NONCE_CONFLICT", Code.ALREADY_EXISTS
    yield "a nonce below those kept", nonce_below_those_kept, "NONCE_TOO_OLD", refused
    yield "no expiry", lambda w: payment(w, expires_us=0), "MISSING_EXPIRY", bad
    yield "expired", lambda w: payment(w, expires_us=now_us() - 1), "EXPIRED", refused
    yield "expiry too far", lambda w: payment(w, expires_us=now_us() + DAY_US + HOUR_US), "EXPIRY_TOO_FAR", bad
    yield "pays itself", lambda w: w.client.sign(w.payer, **transfer(w.payer.key, 5)), "SELF_PAYMENT", bad
    yield "channel to itself", lambda w: w.client.sign(w.payer, **open_channel(w.payer.key, 5_000)), "SELF_PAYMENT", bad
    for asset in (0, 3, 2**32 - 1):
        yield f"asset {asset}", lambda w, asset=asset: w.client.sign(w.payer, **transfer(w.seeder.key, 5, asset)), "UNKNOWN_ASSET", Code.NOT_FOUND
    yield "too little for a newcomer", lambda w: w.client.sign(w.payer, **transfer(Signer().key, MINIMUM - 1)), "BELOW_MINIMUM_FIRST_CREDIT", refused
    yield "too little for a channel", lambda w: w.client.sign(w.payer, **open_channel(w.seeder.key, MINIMUM - 1)), "BELOW_MINIMUM_CHANNEL", refused
    yield "long memo", lambda w: w.client.sign(w.payer, **transfer(w.seeder.key, 5, memo=bytes(65))), "BAD_FIELD", bad
    yield "odd infohash", lambda w: w.client.sign(w.payer, **open_channel(w.seeder.key, 5_000, content=bytes(21))), "BAD_FIELD", bad

    yield "genesis", lambda w: w.client.sign(w.payer, genesis=command_pb2.Genesis(id=bytes(32), origin="x", operator_key=w.payer.key)), "FORBIDDEN_COMMAND", Code.PERMISSION_DENIED
    yield "seal", lambda w: w.client.sign(w.ledger.keys.anchor, seal=command_pb2.Seal(block_id=bytes(32), snapshot_root=bytes(32))), "FORBIDDEN_COMMAND", Code.PERMISSION_DENIED
    yield "unsigned seal", lambda w: w.client.signed(command_pb2.Command(seal=command_pb2.Seal()).SerializeToString()), "FORBIDDEN_COMMAND", Code.PERMISSION_DENIED
    yield "asks for a seal", lambda w: w.client.sign(w.payer, request_seal=command_pb2.RequestSeal(block_id=bytes(32))), "MISSING_ROLE", Code.PERMISSION_DENIED
    yield "takes a role", lambda w: w.client.sign(w.payer, set_roles=command_pb2.SetRoles(key=w.payer.key, roles=15)), "MISSING_ROLE", Code.PERMISSION_DENIED
    yield "makes money", lambda w: w.client.sign(w.payer, credit=command_pb2.Credit(asset=1, amount=b"\x01", owner=w.payer.key, chain=1, block=2**60, transaction_id=bytes(32))), "MISSING_ROLE", Code.PERMISSION_DENIED

    yield "unknown signer", lambda w: w.client.sign(Signer(), **transfer(w.seeder.key, 5)), "UNKNOWN_ACCOUNT", Code.NOT_FOUND
    yield "signs with a rotated key", lambda w: w.client.sign(w.old, **transfer(w.seeder.key, 5)), "KEY_ROTATED", refused
    yield "pays a rotated key", lambda w: w.client.sign(w.payer, **transfer(w.old.key, 5)), "KEY_ROTATED", refused
    yield "channel to a rotated key", lambda w: w.client.sign(w.payer, **open_channel(w.old.key, 5_000)), "KEY_ROTATED", refused
    yield "rotates to a known key", to_a_known_key, "KEY_IN_USE", Code.ALREADY_EXISTS


def _with_retry(case, least=3):
    what, *values = case
    return pytest.param(*values, *([False] if len(values) == least else []), id=what)


@pytest.mark.parametrize("make, reason, status, retry", [_with_retry(case) for case in cases()])
def test_refuses(world, make, reason, status, retry):
    assert_refused(world, make(world), reason, status, retry)


# Receipts


def forged(w, channel, cumulative):
    """Names the right key, signed by nobody who may."""
    return resigned(w.client.sign(w.stranger, **receipt(channel, cumulative)), key=w.payer.key)


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
    signed = payment(w)
    first = w.client.send(signed)
    assert not first.repeated_command
    with no_effect(w):
        for again in (w.client.send(signed), w.neighbour.send(signed, promise=True), *w.client.send_all([signed, signed])):
            assert again.repeated_command
            assert (again.sequence, again.time_us, again.leaf_hash) == (first.sequence, first.time_us, first.leaf_hash)
            assert again.postings == first.postings
            w.client.verified(again)


def test_answers_two_of_the_same_in_one_message(world):
    w = world
    signed = payment(w)
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


def queries():
    """(what is wrong, call, reason, status)"""
    bad, none = Code.INVALID_ARGUMENT, Code.NOT_FOUND
    channels, history, anchors = query_pb2.ListChannelsRequest, query_pb2.GetHistoryRequest, log_pb2.ListAnchorsRequest
    for name, method, request in [
        ("channels", lambda w: w.client.query.ListChannels, lambda w, **more: channels(key=w.payer.key, **more)),
        ("history", lambda w: w.client.query.GetHistory, lambda w, **more: history(key=w.payer.key, **more)),
        ("channel's history", lambda w: w.client.query.GetHistory, lambda w, **more: history(channel=w.channel, **more)),
        ("anchors", lambda w: w.client.log.ListAnchors, lambda w, **more: anchors(**more)),
    ]:
        for size in (1001, 2**32 - 1):
            yield f"{name}: page of {size}", method, lambda w, request=request, size=size: request(w, page_size=size), "BAD_PAGE_SIZE", bad
        for token in ("x", "-1", "1 ", "99999999999999999999", "'; DROP TABLE entries; --"):
            yield f"{name}: token {token}", method, lambda w, request=request, token=token: request(w, page_token=token), "BAD_PAGE_TOKEN", bad

    entry, account = query_pb2.GetEntryRequest, query_pb2.GetAccountRequest
    yield "unknown entry", lambda w: w.client.query.GetEntry, lambda w: entry(sequence=10**9), "UNKNOWN_ENTRY", none
    yield "entry of the largest number", lambda w: w.client.query.GetEntry, lambda w: entry(sequence=2**64 - 1), "UNKNOWN_ENTRY", none
    yield "entry for a key that is none", lambda w: w.client.query.GetEntry, lambda w: entry(sequence=0, key=b"x"), "BAD_KEY", bad
    yield "account of a short key", lambda w: w.client.query.GetAccount, lambda w: account(key=bytes(32)), "BAD_KEY", bad
    yield "account off the curve", lambda w: w.client.query.GetAccount, lambda w: account(key=OFF_THE_CURVE), "BAD_KEY", bad
    yield "account of nobody", lambda w: w.client.query.GetAccount, lambda w: account(), "BAD_KEY", bad
    yield "unknown account", lambda w: w.client.query.GetAccount, lambda w: account(key=Signer().key), "UNKNOWN_KEY", none
    yield "unknown address", lambda w: w.client.query.GetAccount, lambda w: account(address=b"\x41" + bytes(20)), "UNKNOWN_KEY", none
    yield "unknown channel", lambda w: w.client.query.GetChannel, lambda w: query_pb2.GetChannelRequest(channel=10**9), "UNKNOWN_CHANNEL", none
    yield "history of an unknown key", lambda w: w.client.query.GetHistory, lambda w: history(key=Signer().key), "UNKNOWN_KEY", none
    yield "history of an unknown channel", lambda w: w.client.query.GetHistory, lambda w: history(channel=10**9), "UNKNOWN_CHANNEL", none
    inclusion, consistency = log_pb2.GetInclusionProofRequest, log_pb2.GetConsistencyProofRequest
    yield "proof of an unknown entry", lambda w: w.client.log.GetInclusionProof, lambda w: inclusion(sequence=10**9), "UNKNOWN_ENTRY", none
    yield "proof in a smaller tree", lambda w: w.client.log.GetInclusionProof, lambda w: inclusion(sequence=3, size=3), "BAD_TREE_SIZE", bad
    yield "proof in a larger tree", lambda w: w.client.log.GetInclusionProof, lambda w: inclusion(sequence=0, size=10**9), "BAD_TREE_SIZE", bad
    yield "checkpoint of what is not there", lambda w: w.client.log.GetCheckpoint, lambda w: log_pb2.GetCheckpointRequest(minimum_size=10**9), "NOT_SIGNED_YET", Code.UNAVAILABLE, True
    yield "consistency backwards", lambda w: w.client.log.GetConsistencyProof, lambda w: consistency(old_size=3, size=2), "BAD_TREE_SIZE", bad
    yield "consistency with a larger tree", lambda w: w.client.log.GetConsistencyProof, lambda w: consistency(old_size=1, size=10**9), "BAD_TREE_SIZE", bad


@pytest.mark.parametrize("method, request_of, reason, status, retry", [_with_retry(case, 4) for case in queries()])
def test_refuses_the_query(world, method, request_of, reason, status, retry):
    with no_effect(world), pytest.raises(Refused) as refused:
        world.client.ask(method(world), request_of(world))
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
    signed = payment(world)
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
    bad = resigned(w.client.sign(w.stranger, **receipt(w.channel, 5_000)), key=w.payer.key)
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
        for signed in (bad, payment(w)):
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
    bad = resigned(w.client.sign(w.stranger, **receipt(w.channel, 5_000)), key=w.payer.key)
    done = threading.Event()

    def attack():
        while not done.is_set():
            with harness.connect(w.ledger.server.grpc) as connection:
                stub = harness.ledger_client.ledger_pb2_grpc.LedgerStub(connection)
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
