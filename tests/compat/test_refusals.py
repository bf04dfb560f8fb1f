"""Refusals: the call's status, and google.rpc.ErrorInfo in its details."""

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from client import DEADLINE_S, HOUR_US, altered, command_pb2, ledger_pb2, now_us, query_pb2
from formats import Signer
from test_commands import open_channel

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
Code = grpc.StatusCode


def refusal(call):
    """-> (status code, ErrorInfo, the other details' types) of a call that must fail"""
    with pytest.raises(grpc.RpcError) as refused:
        call()
    status = rpc_status.from_call(refused.value)
    assert status.message == refused.value.details()
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "windlass"
    return refused.value.code(), info, [detail.TypeName() for detail in status.details[1:]]


def assert_refused(call, code, reason):
    got, info, _ = refusal(call)
    assert (got, info.reason) == (code, reason)


@pytest.fixture
def payer(funded):
    return funded(100_000)


@pytest.fixture
def signed(ledger, payer):
    return ledger.signed(ledger.command(transfer=ledger.transfer(Signer().key, 4_000)), payer)


def test_of_bytes_that_are_no_command(ledger, payer):
    for command, reason in [
        (b"\xff\xff", "MALFORMED_COMMAND"),
        (ledger.command() + b"\xa8\x0f\x01", "UNKNOWN_FIELD"),
        (ledger.command(), "EMPTY_COMMAND"),
        (bytes(49_153), "COMMAND_TOO_LARGE"),
    ]:
        assert_refused(lambda: ledger.submit_signed(ledger.signed(command, payer)), Code.INVALID_ARGUMENT, reason)


def test_of_what_only_the_ledger_writes(ledger, payer):
    command = ledger.command(seal=command_pb2.Seal())
    assert_refused(
        lambda: ledger.submit_signed(ledger.signed(command, payer)), Code.PERMISSION_DENIED, "FORBIDDEN_COMMAND"
    )


def test_of_signatures(ledger, payer, signed):
    good = signed.signatures[0].signature
    s = int.from_bytes(good[32:], "big")
    high = good[:32] + (CURVE_ORDER - s).to_bytes(32, "big")
    for changes, code, reason in [
        ({"signature": high}, Code.INVALID_ARGUMENT, "HIGH_S"),
        ({"signature": good[:63]}, Code.INVALID_ARGUMENT, "BAD_SIGNATURE_FORMAT"),
        ({"key": Signer().key}, Code.UNAUTHENTICATED, "BAD_SIGNATURE"),
        ({"key": b"\x05" + payer.key[1:]}, Code.INVALID_ARGUMENT, "BAD_KEY"),
    ]:
        assert_refused(lambda: ledger.submit_signed(altered(signed, **changes)), code, reason)


def test_of_a_signature_for_another_ledger(ledger, payer):
    command = ledger.command(transfer=ledger.transfer(Signer().key, 4_000))
    other_tag = ledger.tag[:-1] + bytes([ledger.tag[-1] ^ 1])
    signature = ledger_pb2.Signature(key=payer.key, signature=payer.sign(other_tag, command))
    foreign = ledger_pb2.SignedCommand(command=command, signatures=[signature])
    assert_refused(lambda: ledger.submit_signed(foreign), Code.UNAUTHENTICATED, "BAD_SIGNATURE")


def test_of_nonces_and_expiries(ledger, payer, signed):
    ledger.submit_signed(signed)
    nonce = command_pb2.Command.FromString(signed.command).nonce
    transfer = ledger.transfer(Signer().key, 5_000)
    for fields, code, reason in [
        ({"nonce": nonce}, Code.ALREADY_EXISTS, "NONCE_CONFLICT"),
        ({"nonce": 0}, Code.INVALID_ARGUMENT, "MISSING_NONCE"),
        ({"expires_us": 0}, Code.INVALID_ARGUMENT, "MISSING_EXPIRY"),
        ({"expires_us": now_us() - HOUR_US}, Code.FAILED_PRECONDITION, "EXPIRED"),
        ({"expires_us": now_us() + 25 * HOUR_US}, Code.INVALID_ARGUMENT, "EXPIRY_TOO_FAR"),
    ]:
        command = ledger.command(transfer=transfer, **fields)
        assert_refused(lambda: ledger.submit_signed(ledger.signed(command, payer)), code, reason)


def test_of_payments(ledger, payer):
    for transfer, code, reason in [
        (ledger.transfer(Signer().key, 100_001), Code.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS"),
        (ledger.transfer(Signer().key, 0), Code.INVALID_ARGUMENT, "BAD_AMOUNT"),
        (ledger.transfer(Signer().key, -1), Code.INVALID_ARGUMENT, "BAD_AMOUNT"),
        (ledger.transfer(payer.key, 4_000), Code.INVALID_ARGUMENT, "SELF_PAYMENT"),
        (ledger.transfer(Signer().key, 999), Code.FAILED_PRECONDITION, "BELOW_MINIMUM_FIRST_CREDIT"),
        (command_pb2.Transfer(asset=999, recipient=Signer().key, amount=1), Code.NOT_FOUND, "UNKNOWN_ASSET"),
    ]:
        assert_refused(lambda: ledger.submit(payer, transfer=transfer), code, reason)
    unknown = Signer()
    transfer = ledger.transfer(payer.key, 4_000)
    assert_refused(lambda: ledger.submit(unknown, transfer=transfer), Code.NOT_FOUND, "UNKNOWN_ACCOUNT")


def test_of_receipts_and_closes(ledger, payer, funded):
    recipient, stranger = funded(10_000), funded(10_000)
    channel = open_channel(ledger, payer, recipient.key, 5_000).sequence
    close = command_pb2.CloseChannel(channel=channel)
    assert_refused(lambda: ledger.submit(stranger, close_channel=close), Code.PERMISSION_DENIED, "NOT_A_PARTY")
    assert_refused(lambda: ledger.submit(payer, close_channel=close), Code.FAILED_PRECONDITION, "NOT_YET_RECLAIMABLE")
    for signer, number, cumulative, code, reason in [
        (payer, channel, 5_001, Code.FAILED_PRECONDITION, "ABOVE_DEPOSIT"),
        (stranger, channel, 5_000, Code.PERMISSION_DENIED, "WRONG_RECEIPT_KEY"),
        (payer, channel + 1_000_000, 5_000, Code.NOT_FOUND, "UNKNOWN_CHANNEL"),
    ]:
        receipt = ledger.signed(ledger.receipt(number, cumulative), signer)
        assert_refused(lambda: ledger.submit_signed(receipt), code, reason)
    ledger.submit(recipient, close_channel=close)
    receipt = ledger.signed(ledger.receipt(channel, 5_000), payer)
    assert_refused(lambda: ledger.submit_signed(receipt), Code.FAILED_PRECONDITION, "CHANNEL_CLOSED")


def test_of_a_key_that_was_rotated_away(ledger, payer):
    new = Signer()
    command = ledger.command(rotate_key=command_pb2.RotateKey(new_key=new.key))
    assert_refused(
        lambda: ledger.submit_signed(ledger.signed(command, payer)), Code.INVALID_ARGUMENT, "WRONG_SIGNER_COUNT"
    )
    ledger.submit_signed(ledger.signed(command, payer, new))
    transfer = ledger.transfer(Signer().key, 4_000)
    assert_refused(lambda: ledger.submit(payer, transfer=transfer), Code.FAILED_PRECONDITION, "KEY_ROTATED")


def test_of_commands_without_the_role(ledger, payer, roles):
    credit = command_pb2.Credit(
        asset=ledger.btt,
        amount=b"\x01",
        owner=payer.key,
        chain=1,
        block=2**40,
        transaction_id=bytes(32),
        source=b"\x41" + bytes(20),
    )
    assert_refused(lambda: ledger.execute(payer, credit=credit), Code.PERMISSION_DENIED, "MISSING_ROLE")
    credit.block = 0
    assert_refused(
        lambda: ledger.execute(roles.gateway, credit=credit), Code.FAILED_PRECONDITION, "CREDIT_NOT_IN_ORDER"
    )


def test_that_may_pass_says_when_to_try_again(ledger, payer, funded):
    channel = open_channel(ledger, payer, funded(10_000).key, 5_000).sequence
    close = command_pb2.CloseChannel(channel=channel)
    _, info, others = refusal(lambda: ledger.submit(payer, close_channel=close))
    assert (info.reason, others) == ("NOT_YET_RECLAIMABLE", ["google.rpc.RetryInfo"])


def test_of_queries(ledger, payer):
    query = ledger.query
    account = query_pb2.GetAccountRequest(key=Signer().key)
    history = query_pb2.GetHistoryRequest(key=payer.key, page_size=1_001)
    entry = query_pb2.GetEntryRequest(sequence=2**40)
    assert_refused(lambda: query.GetAccount(account, timeout=DEADLINE_S), Code.NOT_FOUND, "UNKNOWN_KEY")
    assert_refused(lambda: query.GetHistory(history, timeout=DEADLINE_S), Code.INVALID_ARGUMENT, "BAD_PAGE_SIZE")
    assert_refused(lambda: query.GetEntry(entry, timeout=DEADLINE_S), Code.NOT_FOUND, "UNKNOWN_ENTRY")
    assert_refused(lambda: ledger.consistency(5, 2**40), Code.INVALID_ARGUMENT, "BAD_TREE_SIZE")


def test_in_a_stream_say_the_same(ledger, payer, signed):
    good = signed.signatures[0].signature
    bad = altered(signed, signature=good[:32] + good[32:][::-1])
    [results] = ledger.submit_stream([bad, signed])
    assert results[0].rejected.reason in ("BAD_SIGNATURE", "HIGH_S")
    assert results[0].rejected.message and not results[0].rejected.retry
    assert results[1].HasField("accepted")
