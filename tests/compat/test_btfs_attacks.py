"""What a thief or a broken client sends to the historical services: refused by its reason, and without any effect."""

import contextlib

import grpc
import pytest

import btfs_messages as btfs
from client import DEADLINE_S, HOUR_US, Ledger, command_pb2, now_us, query_pb2
from formats import Signer, sha256, signing_tag
from processes import write_secret
from test_refusals import assert_refused, refusal
from windlass.v1 import ledger_pb2

Code = grpc.StatusCode
MALFORMED = Code.INVALID_ARGUMENT
CHANNEL_AMOUNT = 1_000


@pytest.fixture(scope="module")
def server(start_server, directory):
    key_file = write_secret(directory / "escrow.key", sha256(b"escrow").hex())
    return start_server("btfs", btfs__enabled="true", btfs__escrow_key_file=key_file)


@pytest.fixture(scope="module")
def ledger(server):
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield Ledger(channel)


@pytest.fixture(scope="module")
def services(ledger):
    return btfs.Services(ledger.channel)


class Party:
    def __init__(self, ledger, gateway, units=1_000_000):
        self.signer = Signer()
        self.address = btfs.address(self.signer)
        ledger.credit(gateway, self.signer.key, units)

    def sign(self, message):
        return btfs.sign(self.signer, message)


@pytest.fixture
def payer(ledger, roles):
    return Party(ledger, roles.gateway)


@pytest.fixture
def recipient(ledger, roles):
    return Party(ledger, roles.gateway)


@pytest.fixture
def unmoved(ledger, payer, recipient):
    """Within: no entry is written, and neither party's balance changes."""

    def seen():
        size = ledger.query.GetTotals(query_pb2.GetTotalsRequest(), timeout=DEADLINE_S).size
        return size, ledger.balance(payer.signer.key), ledger.balance(recipient.signer.key)

    @contextlib.contextmanager
    def watch():
        before = seen()
        yield
        assert seen() == before

    return watch


@pytest.fixture
def channel(services, payer, recipient):
    message = btfs.commit(payer.address, recipient.address, CHANNEL_AMOUNT)
    return services.open(message, payer.sign(message))


def test_a_replayed_transfer_whatever_its_signature(services, payer, recipient, unmoved):
    message = btfs.transfer(payer.address, recipient.address, 700)
    signature = payer.sign(message)
    assert services.transfer(message, signature) == 1_000_000 - 700
    with unmoved():
        for again in (signature, btfs.high_s(signature), btfs.random_nonce_signature(payer.signer, message)):
            for call in (services.transfer, services.pay):
                assert_refused(lambda: call(message, again), Code.ALREADY_EXISTS, "PAID_BEFORE")


def test_a_high_s_signature_is_as_good(services, payer, recipient):
    message = btfs.transfer(payer.address, recipient.address, 700)
    assert services.transfer(message, btfs.high_s(payer.sign(message))) == 1_000_000 - 700


def test_a_commit_posed_as_a_transfer_and_the_reverse(services, payer, recipient, unmoved):
    commit = btfs.commit(payer.address, recipient.address, 700)
    transfer = btfs.transfer(payer.address, recipient.address, 700)
    with unmoved():
        assert_refused(lambda: services.transfer(commit, payer.sign(commit)), MALFORMED, "UNKNOWN_FIELD")
        assert_refused(lambda: services.open(transfer, payer.sign(transfer)), MALFORMED, "BAD_PAYER_ID")
        for payer_id in (0, -1, -(2**63)):
            message = btfs.commit(payer.address, recipient.address, 700, payer_id)
            assert_refused(lambda: services.open(message, payer.sign(message)), MALFORMED, "BAD_PAYER_ID")


def test_a_payer_id_names_one_channel(services, payer, recipient, unmoved):
    message = btfs.commit(payer.address, recipient.address, 1_000, payer_id=5)
    id = services.open(message, payer.sign(message))
    other = btfs.commit(payer.address, recipient.address, 1_001, payer_id=5)
    with unmoved():
        assert services.open(message, btfs.random_nonce_signature(payer.signer, message)) == id
        assert_refused(lambda: services.open(other, payer.sign(other)), Code.ALREADY_EXISTS, "PAYER_ID_CONFLICT")


def test_other_names_of_a_key(services, payer, recipient, unmoved):
    parity = 6 + payer.address[-1] % 2
    for alias, reason in [
        (bytes([parity]) + payer.address[1:], "ADDRESS_FORM"),
        (bytes([13 - parity]) + payer.address[1:], "ADDRESS_FORM"),
        (b"\x05" + payer.address[1:], "ADDRESS_FORM"),
        (payer.signer.key, "ADDRESS_LENGTH"),
        (b"\x04" + bytes(64), "ADDRESS_OFF_CURVE"),
    ]:
        transfer = btfs.transfer(alias, recipient.address, 700)
        commit = btfs.commit(recipient.address, alias, 700)
        with unmoved():
            assert_refused(lambda: services.transfer(transfer, payer.sign(transfer)), MALFORMED, reason)
            assert_refused(lambda: services.open(commit, recipient.sign(commit)), MALFORMED, reason)
            assert_refused(lambda: services.balance(alias), MALFORMED, reason)


def test_signatures_that_a_lax_parser_would_take(services, payer, recipient, unmoved):
    message = btfs.transfer(payer.address, recipient.address, 700)
    good = payer.sign(message)
    padded = bytes([0x30, good[1] + 1, 0x02, good[3] + 1, 0]) + good[4:]
    long_length = b"\x30\x81" + good[1:]
    with unmoved():
        for bad in (good + b"\x00", padded, long_length, good[:-1], b"", bytes(200)):
            assert_refused(lambda: services.transfer(message, bad), MALFORMED, "BAD_SIGNATURE_ENCODING")


def test_fields_that_nobody_meant(services, payer, recipient, unmoved):
    transfer = btfs.transfer(payer.address, recipient.address, 700)
    with unmoved():
        for message, reason in [
            (transfer + b"\x78\x01", "UNKNOWN_FIELD"),
            (transfer + b"\x18\x01", "REPEATED_FIELD"),
            (transfer[:-1], "MALFORMED"),
            (btfs.transfer(payer.address, recipient.address, 0), "BAD_AMOUNT"),
            (btfs.transfer(payer.address, recipient.address, -1), "BAD_AMOUNT"),
            (btfs.transfer(payer.address, payer.address, 1), "SELF_PAYMENT"),
            (btfs.transfer(payer.address, recipient.address, 1, nonce=1), "HALF_EXTENSION"),
            (btfs.transfer(payer.address, recipient.address, 1, expires_us=now_us() + HOUR_US), "HALF_EXTENSION"),
        ]:
            assert_refused(lambda: services.transfer(message, payer.sign(message)), MALFORMED, reason)


def test_an_expired_transfer(services, payer, recipient, unmoved):
    message = btfs.transfer(payer.address, recipient.address, 1, nonce=1, expires_us=now_us() - 1)
    with unmoved():
        assert_refused(lambda: services.transfer(message, payer.sign(message)), Code.FAILED_PRECONDITION, "EXPIRED")


def test_a_stolen_rotation(services, payer, recipient, unmoved):
    """Every BalanceOf carries the first: a signature of the owner over its own key."""
    thief = Signer()
    old, new = btfs.public_key(payer.address), btfs.public_key(btfs.address(thief))
    captured, consents = payer.sign(old), btfs.sign(thief, old)
    with unmoved():
        for old_signature in (captured, consents, btfs.sign(thief, new)):
            for new_signature in (consents, captured):
                assert_refused(
                    lambda: services.rotate(old, new, old_signature, new_signature), MALFORMED, "WRONG_SIGNATURE"
                )
        for one_only in ((captured, b""), (b"", consents)):
            assert_refused(lambda: services.rotate(old, new, *one_only), MALFORMED, "BAD_SIGNATURE_ENCODING")


def test_a_rotation_that_each_key_signed_for_the_other(ledger, services, payer):
    heir = Signer()
    old, new = btfs.public_key(payer.address), btfs.public_key(btfs.address(heir))
    services.rotate(old, new, payer.sign(new), btfs.sign(heir, old))
    assert ledger.balance(heir.key)[0] == 1_000_000
    message = btfs.transfer(payer.address, btfs.address(heir), 700)
    assert_refused(lambda: services.transfer(message, payer.sign(message)), Code.FAILED_PRECONDITION, "KEY_ROTATED")


def test_a_signature_by_another_key_or_of_other_bytes(services, payer, recipient, unmoved):
    message = btfs.transfer(payer.address, recipient.address, 700)
    other = btfs.transfer(payer.address, recipient.address, 701)
    with unmoved():
        for bad in (recipient.sign(message), payer.sign(other)):
            assert_refused(lambda: services.transfer(message, bad), MALFORMED, "WRONG_SIGNATURE")


def test_states_that_are_no_end_of_the_channel(services, payer, recipient, channel, unmoved):
    def closed(message, *signatures):
        return lambda: services.close(message, *signatures)

    good = btfs.state(channel, payer.address, 300, recipient.address, 700)
    from_signature, to_signature = payer.sign(good), recipient.sign(good)
    with unmoved():
        assert_refused(closed(good, from_signature), Code.PERMISSION_DENIED, "UNSIGNED_STATE")
        assert_refused(closed(good, b"", to_signature), Code.PERMISSION_DENIED, "UNSIGNED_STATE")
        for wrong in (
            btfs.state(channel, payer.address, 300, recipient.address, 701),
            btfs.state(channel, payer.address, 299, recipient.address, 700),
            btfs.state(channel, recipient.address, 300, payer.address, 700),
        ):
            by_payer, by_recipient = payer.sign(wrong), recipient.sign(wrong)
            if wrong.find(payer.address) > wrong.find(recipient.address):
                by_payer, by_recipient = by_recipient, by_payer
            assert_refused(closed(wrong, by_payer, by_recipient), MALFORMED, "STATE_MISMATCH")
        for message, reason in [
            (btfs.state(channel, payer.address, -1, recipient.address, 1_001), "BAD_BALANCE"),
            (btfs.state(channel, payer.address, 300, recipient.address, 700, sequence=0), "BAD_SEQUENCE"),
        ]:
            assert_refused(closed(message, payer.sign(message), recipient.sign(message)), MALFORMED, reason)
    assert services.close(good, from_signature, to_signature).state.channel == good
    other = btfs.state(channel, payer.address, 0, recipient.address, 1_000, sequence=2)
    with unmoved():
        assert services.close(good, from_signature, to_signature).state.channel == good
        assert_refused(
            closed(other, payer.sign(other), recipient.sign(other)), Code.FAILED_PRECONDITION, "CHANNEL_CLOSED"
        )


def test_native_receipts_and_channels_are_another_thing(ledger, services, payer, recipient, channel, unmoved):
    receipt = ledger.signed(ledger.receipt(channel, 500), payer.signer)
    close = command_pb2.CloseChannel(channel=channel)
    opened = command_pb2.OpenChannel(
        asset=ledger.btt, recipient=recipient.signer.key, amount=CHANNEL_AMOUNT, expires_us=now_us() + HOUR_US
    )
    native = ledger.submit(payer.signer, open_channel=opened).sequence
    state = btfs.state(native, payer.address, 0, recipient.address, CHANNEL_AMOUNT)
    with unmoved():
        assert_refused(lambda: ledger.submit_signed(receipt), Code.NOT_FOUND, "UNKNOWN_CHANNEL")
        assert_refused(lambda: ledger.submit(recipient.signer, close_channel=close), Code.NOT_FOUND, "UNKNOWN_CHANNEL")
        both = payer.sign(state), recipient.sign(state)
        assert_refused(lambda: services.close(state, *both), Code.NOT_FOUND, "UNKNOWN_CHANNEL")


def test_a_native_transfer_signed_for_another_ledger(ledger, payer, recipient, unmoved):
    command = ledger.command(transfer=ledger.transfer(recipient.signer.key, 700))
    elsewhere = signing_tag("another.windlass.test/log", sha256(b"another genesis"))
    signature = ledger_pb2.Signature(key=payer.signer.key, signature=payer.signer.sign(elsewhere, command))
    signed = ledger_pb2.SignedCommand(command=command, signatures=[signature])
    with unmoved():
        assert_refused(lambda: ledger.submit_signed(signed), Code.UNAUTHENTICATED, "BAD_SIGNATURE")


def test_an_account_that_has_refused_these_signatures(ledger, services, payer, recipient, unmoved):
    ledger.submit(payer.signer, refuse_btfs=command_pb2.RefuseBtfs())
    for message, call in [
        (btfs.transfer(payer.address, recipient.address, 700), services.transfer),
        (btfs.commit(payer.address, recipient.address, 700), services.open),
    ]:
        with unmoved():
            assert_refused(lambda: call(message, payer.sign(message)), Code.FAILED_PRECONDITION, "BTFS_REFUSED")
    to_it = btfs.commit(recipient.address, payer.address, 700)
    with unmoved():
        assert_refused(lambda: services.open(to_it, recipient.sign(to_it)), Code.FAILED_PRECONDITION, "BTFS_REFUSED")


def test_too_little_money_is_nsf_and_nothing_else(services, payer, recipient, unmoved):
    message = btfs.transfer(payer.address, recipient.address, 1_000_001)
    with unmoved(), pytest.raises(grpc.RpcError) as refused:
        services.transfer(message, payer.sign(message))
    assert (refused.value.code(), refused.value.details()) == (Code.RESOURCE_EXHAUSTED, "NSF")
    _, info, _ = refusal(lambda: services.transfer(message, payer.sign(message)))
    assert info.reason == "INSUFFICIENT_FUNDS" and "message" in info.metadata


def test_the_servers_own_wrapper_from_a_client(ledger, payer, recipient, unmoved):
    """The payer did sign it, as a command of this ledger: but the wrapper is the server's alone to write."""
    for body in (
        {"btfs_transfer": btfs.transfer(payer.address, recipient.address, 700)},
        {"btfs_open_channel": btfs.commit(payer.address, recipient.address, CHANNEL_AMOUNT)},
    ):
        with unmoved():
            assert_refused(lambda: ledger.submit(payer.signer, **body), Code.PERMISSION_DENIED, "FORBIDDEN_COMMAND")
