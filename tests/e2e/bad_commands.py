"""Commands that must be refused, by the reason: each makes its SignedCommand of a world (test_bad_input.py)."""

import time

import grpc

from client import HOUR_US, altered, now_us
from formats import Signer
from harness import DAY_US, MINIMUM, close, open_channel, receipt, top_up, transfer, transfer_list
from windlass.v1 import command_pb2, ledger_pb2

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
OFF_THE_CURVE = b"\x02" + b"\xff" * 32
MOST = 2**63 - 1
DEPOSIT, CLAIMED = 10_000, 100  # of the world's channel
FUNDS = 10**6  # of its payer
UNKNOWN_FIELD = b"\xc0\x3e\x01"  # number 1000, a varint: whatever it may mean to others


def pay(w, body):
    """The payer's command."""
    return w.client.sign(w.payer, **body)


def pay_seeder(w, amount=5, **more):
    return w.client.sign(w.payer, **transfer(w.seeder.key, amount), **more)


def bytes_of_payment(w):
    return w.client.command(**transfer(w.seeder.key, 5))


def signed_bytes(w, command):
    return w.client.signed(command, w.payer)


def with_unknown_field(w, body):
    ((kind, message),) = body.items()
    return pay(w, {kind: type(message).FromString(message.SerializeToString() + UNKNOWN_FIELD)})


def with_high_s(w):
    signed = pay_seeder(w)
    signature = signed.signatures[0].signature
    s = CURVE_ORDER - int.from_bytes(signature[32:], "big")
    return altered(signed, signature=signature[:32] + s.to_bytes(32, "big"))


def for_another_ledger(w):
    command, tag = bytes_of_payment(w), w.client.tag[:-1] + bytes([w.client.tag[-1] ^ 1])
    signature = ledger_pb2.Signature(key=w.payer.key, signature=w.payer.sign(tag, command))
    return ledger_pb2.SignedCommand(command=command, signatures=[signature])


def closing(w, channel=None, cumulative=200, by=None, change=lambda last: last):
    """The seeder's close with a last receipt."""
    last = w.client.sign(by or w.payer, **receipt(channel or w.channel, cumulative))
    return w.client.sign(w.seeder, **close(w.channel, change(last)))


def with_more_bytes(last):
    last.command += UNKNOWN_FIELD
    return last


def rotation(w, new_key, *signers):
    command = w.client.command(rotate_key=command_pb2.RotateKey(new_key=new_key))
    return w.client.signed(command, *signers)


def seen_nonce(w):
    """Of a payment that was accepted, with other bytes."""
    nonce = time.time_ns()
    w.client.send(pay_seeder(w, 1, nonce=nonce))
    return pay_seeder(w, 2, nonce=nonce)


def nonce_below_those_kept(w):
    payer, first = w.ledger.funded(w.client), 1_000
    for nonce in range(first, first + 16):
        w.client.do(payer, nonce=nonce, **transfer(w.seeder.key, 1))
    return w.client.sign(payer, nonce=first - 1, **transfer(w.seeder.key, 1))


def list_with(w, key, amount):
    """A bad payment between two good ones."""
    return pay(w, transfer_list([(w.seeder.key, 5), (key, amount), (Signer().key, MINIMUM)]))


def of_length(length):
    return (b"\x02" + bytes(range(64)))[:length]


def money_from_nowhere(w):
    body = command_pb2.Credit(
        asset=1, amount=b"\x01", owner=w.payer.key, chain=1, block=2**60, transaction_id=bytes(32)
    )
    return pay(w, {"credit": body})


AMOUNTS = (0, -1, -MOST - 1)
LENGTHS = (0, 32, 34, 65)

OF_BYTES = {
    "MALFORMED_COMMAND": {
        "no protobuf": lambda w: signed_bytes(w, b"\xff\xff"),
        "cut short": lambda w: signed_bytes(w, bytes_of_payment(w)[:-1]),
    },
    "EMPTY_COMMAND": {
        "no bytes": lambda w: signed_bytes(w, b""),
        "no body": lambda w: signed_bytes(w, w.client.command()),
    },
    "COMMAND_TOO_LARGE": {"a byte too many": lambda w: signed_bytes(w, bytes(48 * 1024 + 1))},
    "UNKNOWN_FIELD": {
        "command": lambda w: signed_bytes(w, bytes_of_payment(w) + UNKNOWN_FIELD),
        "transfer": lambda w: with_unknown_field(w, transfer(w.seeder.key, 5)),
        "list": lambda w: with_unknown_field(w, transfer_list([(w.seeder.key, 5)])),
        "channel": lambda w: with_unknown_field(w, open_channel(w.seeder.key, 5_000)),
        "top-up": lambda w: with_unknown_field(w, top_up(w.channel, 5)),
        "close": lambda w: with_unknown_field(w, close(w.channel)),
        "receipt": lambda w: with_unknown_field(w, receipt(w.channel, 150)),
        "last receipt": lambda w: closing(w, change=with_more_bytes),
    },
    "FORBIDDEN_COMMAND": {
        "genesis": lambda w: pay(w, {"genesis": command_pb2.Genesis(id=bytes(32), origin="x")}),
        "seal": lambda w: w.client.sign(w.ledger.keys.anchor, seal=command_pb2.Seal(block_id=bytes(32))),
        "wraps a historical message": lambda w: pay(w, {"btfs_transfer": bytes(70)}),
        "unsigned seal": lambda w: w.client.signed(w.client.command(seal=command_pb2.Seal())),
    },
    "BAD_FIELD": {
        "long memo": lambda w: pay(w, transfer(w.seeder.key, 5, memo=bytes(65))),
        "odd infohash": lambda w: pay(w, open_channel(w.seeder.key, 5_000, content=bytes(21))),
    },
}

OF_KEYS_AND_SIGNATURES = {
    "BAD_KEY": {
        **{f"signer of {n}": lambda w, n=n: altered(pay_seeder(w), key=of_length(n)) for n in LENGTHS},
        **{f"recipient of {n}": lambda w, n=n: pay(w, transfer(of_length(n), 5_000)) for n in LENGTHS},
        **{f"channel to {n}": lambda w, n=n: pay(w, open_channel(of_length(n), 5_000)) for n in LENGTHS},
        "signer's first byte": lambda w: altered(pay_seeder(w), key=b"\x05" + w.payer.key[1:]),
        "signer off the curve": lambda w: altered(pay_seeder(w), key=OFF_THE_CURVE),
        "recipient off the curve": lambda w: pay(w, transfer(OFF_THE_CURVE, 5_000)),
        "channel off the curve": lambda w: pay(w, open_channel(OFF_THE_CURVE, 5_000)),
        "list off the curve": lambda w: list_with(w, OFF_THE_CURVE, MINIMUM),
        "receipts off the curve": lambda w: pay(w, open_channel(w.seeder.key, 5_000, receipt_key=OFF_THE_CURVE)),
        "receipt key of 65": lambda w: pay(w, open_channel(w.seeder.key, 5_000, receipt_key=bytes(65))),
        "other new key than signs": lambda w: rotation(w, Signer().key, w.payer, Signer()),
    },
    "BAD_SIGNATURE_FORMAT": {
        **{f"of {n} bytes": lambda w, n=n: altered(pay_seeder(w), signature=bytes(n)) for n in (0, 63, 65, 72)},
        "above the order": lambda w: altered(pay_seeder(w), signature=b"\xff" * 64),
    },
    "HIGH_S": {"the other s": with_high_s},
    "WRONG_SIGNER_COUNT": {
        "none": lambda w: w.client.signed(bytes_of_payment(w)),
        "two": lambda w: w.client.signed(bytes_of_payment(w), w.payer, w.payer),
        "one for a rotation": lambda w: rotation(w, Signer().key, w.payer),
    },
    "BAD_SIGNATURE": {
        "zeros": lambda w: altered(pay_seeder(w), signature=bytes(64)),
        "another's": lambda w: altered(pay_seeder(w), key=w.stranger.key),
        "for another ledger": for_another_ledger,
        "of a last receipt": lambda w: closing(w, by=w.stranger, change=lambda last: altered(last, key=w.payer.key)),
    },
}

OF_AMOUNTS = {
    "BAD_AMOUNT": {
        **{f"pays {n}": lambda w, n=n: pay_seeder(w, n) for n in AMOUNTS},
        **{f"locks {n}": lambda w, n=n: pay(w, open_channel(w.seeder.key, n)) for n in AMOUNTS},
        **{f"receipt of {n}": lambda w, n=n: pay(w, receipt(w.channel, n)) for n in AMOUNTS},
        **{f"list with {n}": lambda w, n=n: list_with(w, w.seeder.key, n) for n in AMOUNTS},
        "tops up by -1": lambda w: pay(w, top_up(w.channel, -1)),
    },
    "INSUFFICIENT_FUNDS": {
        "pays": lambda w: pay_seeder(w, MOST),
        "locks": lambda w: pay(w, open_channel(w.seeder.key, MOST)),
        "tops up": lambda w: pay(w, top_up(w.channel, MOST)),
        "list": lambda w: list_with(w, w.seeder.key, FUNDS),
        "list whose sum overflows": lambda w: list_with(w, w.seeder.key, MOST),
    },
    "BELOW_MINIMUM_FIRST_CREDIT": {
        "pays": lambda w: pay(w, transfer(Signer().key, MINIMUM - 1)),
        "list": lambda w: list_with(w, Signer().key, MINIMUM - 1),
    },
    "BELOW_MINIMUM_CHANNEL": {"locks": lambda w: pay(w, open_channel(w.seeder.key, MINIMUM - 1))},
    "BAD_LIST": {
        "no payment": lambda w: pay(w, transfer_list([])),
        "1,025 payments": lambda w: pay(w, transfer_list([(w.seeder.key, 1)] * 1025)),
        "short key": lambda w: list_with(w, w.seeder.key[:32], 5),
    },
    "SELF_PAYMENT": {
        "pays": lambda w: pay(w, transfer(w.payer.key, 5)),
        "channel": lambda w: pay(w, open_channel(w.payer.key, 5_000)),
        "list": lambda w: list_with(w, w.payer.key, 5),
    },
    "UNKNOWN_ASSET": {str(n): lambda w, n=n: pay(w, transfer(w.seeder.key, 5, n)) for n in (0, 3, 2**32 - 1)},
}

OF_CHANNELS = {
    "UNKNOWN_CHANNEL": {
        "not there": lambda w: pay(w, receipt(w.channel + 10**6, 5)),
        "the largest number": lambda w: pay(w, receipt(2**64 - 1, 5)),
        "an entry that opened none": lambda w: pay(w, receipt(0, 5)),
    },
    "ABOVE_DEPOSIT": {
        "by one": lambda w: pay(w, receipt(w.channel, DEPOSIT + 1)),
        "by all there is": lambda w: pay(w, receipt(w.channel, MOST)),
        "in a close": lambda w: closing(w, cumulative=DEPOSIT + 1),
    },
    "WRONG_RECEIPT_KEY": {
        "another's": lambda w: w.client.sign(w.seeder, **receipt(w.channel, 500)),
        "in a close": lambda w: closing(w, by=w.seeder),
    },
    "CHANNEL_CLOSED": {"receipt": lambda w: pay(w, receipt(w.closed, 5))},
    "NOT_A_PARTY": {
        "closes": lambda w: w.client.sign(w.stranger, **close(w.channel)),
        "tops up": lambda w: w.client.sign(w.stranger, **top_up(w.channel, 5)),
    },
    "NOT_YET_RECLAIMABLE": {"closes": lambda w: pay(w, close(w.channel))},
    "RECEIPT_CHANNEL_MISMATCH": {"closes": lambda w: closing(w, channel=w.closed)},
    "BAD_CHANNEL_EXPIRY": {
        "expired": lambda w: pay(w, open_channel(w.seeder.key, 5_000, life_us=-1)),
        "11 years": lambda w: pay(w, open_channel(w.seeder.key, 5_000, life_us=11 * 366 * DAY_US)),
    },
}

OF_SIGNERS = {
    "MISSING_NONCE": {"none": lambda w: pay_seeder(w, nonce=0)},
    "NONCE_CONFLICT": {"other bytes": seen_nonce},
    "NONCE_TOO_OLD": {"below those kept": nonce_below_those_kept},
    "MISSING_EXPIRY": {"none": lambda w: pay_seeder(w, expires_us=0)},
    "EXPIRED": {"just now": lambda w: pay_seeder(w, expires_us=now_us() - 1)},
    "EXPIRY_TOO_FAR": {"25 hours": lambda w: pay_seeder(w, expires_us=now_us() + DAY_US + HOUR_US)},
    "UNKNOWN_ACCOUNT": {"pays": lambda w: w.client.sign(Signer(), **transfer(w.seeder.key, 5))},
    "KEY_ROTATED": {
        "signs": lambda w: w.client.sign(w.old, **transfer(w.seeder.key, 5)),
        "is paid": lambda w: pay(w, transfer(w.old.key, 5)),
        "in a list": lambda w: list_with(w, w.old.key, 5),
        "channel": lambda w: pay(w, open_channel(w.old.key, 5_000)),
    },
    "KEY_IN_USE": {"rotates": lambda w: rotation(w, w.seeder.key, w.payer, w.seeder)},
    "MISSING_ROLE": {
        "asks for a seal": lambda w: pay(w, {"request_seal": command_pb2.RequestSeal(block_id=bytes(32))}),
        "takes a role": lambda w: pay(w, {"set_roles": command_pb2.SetRoles(key=w.payer.key, roles=15)}),
        "makes money": money_from_nowhere,
    },
}

STATUSES = {
    grpc.StatusCode.UNAUTHENTICATED: ("BAD_SIGNATURE",),
    grpc.StatusCode.NOT_FOUND: ("UNKNOWN_ASSET", "UNKNOWN_CHANNEL", "UNKNOWN_ACCOUNT"),
    grpc.StatusCode.ALREADY_EXISTS: ("NONCE_CONFLICT", "KEY_IN_USE"),
    grpc.StatusCode.PERMISSION_DENIED: ("FORBIDDEN_COMMAND", "WRONG_RECEIPT_KEY", "NOT_A_PARTY", "MISSING_ROLE"),
    grpc.StatusCode.FAILED_PRECONDITION: (
        *("INSUFFICIENT_FUNDS", "BELOW_MINIMUM_FIRST_CREDIT", "BELOW_MINIMUM_CHANNEL", "ABOVE_DEPOSIT"),
        *("CHANNEL_CLOSED", "NOT_YET_RECLAIMABLE", "NONCE_TOO_OLD", "EXPIRED", "KEY_ROTATED"),
    ),
}
STATUS_OF = {reason: status for status, reasons in STATUSES.items() for reason in reasons}
RETRY = ("NOT_YET_RECLAIMABLE",)


def cases():
    """(reason, what is wrong, how to make it, gRPC status, whether to send the same again)"""
    for group in (OF_BYTES, OF_KEYS_AND_SIGNATURES, OF_AMOUNTS, OF_CHANNELS, OF_SIGNERS):
        for reason, ways in group.items():
            for what, make in ways.items():
                yield reason, what, make, STATUS_OF.get(reason, grpc.StatusCode.INVALID_ARGUMENT), reason in RETRY
