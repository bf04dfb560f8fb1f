"""Makes tests/vectors/formats.json: every format of docs/formats.md on fixed inputs, from this folder's code alone.

Run it as a program to write the file anew; test_vectors.py holds the file to it.
"""

import json

from cryptography.hazmat.primitives.asymmetric import utils

import formats
import liabilities
from client import command_pb2
from formats import NONE, ZERO_HASH, AccountPosting, ChannelPosting, ClosingPosting, Signer, sha256
from merkle import leaf_hash, root
from processes import SOURCE_DIR

FILE = SOURCE_DIR / "tests" / "vectors" / "formats.json"
ORIGIN = "ledger.example/windlass"
TIME_US = 1_767_225_600_000_000
LARGEST = 2**63 - 1


def _secret(name):
    """A fixed 32 bytes, of which anybody can see where they come from."""
    return sha256(name.encode())


ALICE, BOB, GATEWAY = (Signer(_secret(name)) for name in ("alice", "bob", "gateway"))
LOG_SEED = _secret("log")
LOG_VKEY = formats.verifier_key_of_seed(ORIGIN, LOG_SEED)


def _hex(value):
    """JSON with every bytes as hex, every integer as it is."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: _hex(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hex(member) for member in value]
    return value


def _posting_fields(posting):
    kinds = {AccountPosting: "account", ClosingPosting: "closing", ChannelPosting: "channel"}
    return {"kind": kinds[type(posting)], **vars(posting)}


def _entry(sequence, time_us, kind, envelope, postings, name):
    """A whole entry and all that follows from it."""
    secret = _secret(name)
    encoded = [formats.encode_posting(posting) for posting in postings]
    leaf = formats.make_leaf(sequence, time_us, kind, envelope, encoded, secret).encode()
    hashes = [formats.posting_leaf_hash(formats.salt(secret, 1 + k), posting) for k, posting in enumerate(encoded)]
    return {
        "sequence": sequence,
        "time_us": time_us,
        "kind": kind,
        "envelope": envelope,
        "secret": secret,
        "envelope_salt": formats.salt(secret, 0),
        "postings": [
            {
                "fields": _posting_fields(posting),
                "posting": data,
                "salt": formats.salt(secret, 1 + k),
                "leaf_hash": hashes[k],
            }
            for k, (posting, data) in enumerate(zip(postings, encoded))
        ],
        "postings_root": root(hashes),
        "leaf": leaf,
        "leaf_hash": leaf_hash(leaf),
    }


def _genesis():
    command = command_pb2.Command(
        genesis=command_pb2.Genesis(
            id=_secret("genesis"),
            origin=ORIGIN,
            operator_key=ALICE.key,
            roles=[command_pb2.SetRoles(key=GATEWAY.key, roles=command_pb2.ROLE_GATEWAY)],
            assets=[command_pb2.Asset(number=1, symbol="BTT", chain=1, token="1002000", decimals=6, chain_units=1)],
            log_vkey=LOG_VKEY,
        )
    ).SerializeToString()
    postings = [AccountPosting(number, 0, 0, 0, 0, NONE) for number in (0, 1)]
    return _entry(0, TIME_US, formats.GENESIS, formats.encode_envelope(command, []), postings, "entry 0")


GENESIS = _genesis()
TAG = formats.signing_tag(ORIGIN, GENESIS["leaf_hash"])


def _signed(name, body, *signers):
    command = command_pb2.Command(nonce=7, expires_us=TIME_US + 1, **body).SerializeToString()
    pairs = [(signer.key, signer.sign(TAG, command)) for signer in signers]
    return {
        "name": name,
        "command": command,
        "digest": formats.digest(TAG, command),
        "signers": [{"key": key, "signature": signature} for key, signature in pairs],
        "envelope": formats.encode_envelope(command, pairs),
    }


def _commands():
    transfer = command_pb2.Transfer(asset=1, recipient=BOB.key, amount=LARGEST, memo=b"rent")
    return [
        _signed("transfer", {"transfer": transfer}, ALICE),
        _signed("key rotation", {"rotate_key": command_pb2.RotateKey(new_key=BOB.key)}, ALICE, BOB),
    ]


def _varint(value):
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _message(fields):
    """Of the historical ledger's: number -> int or bytes, as Go writes it."""
    return b"".join(
        bytes([number << 3]) + _varint(value)
        if isinstance(value, int)
        else bytes([number << 3 | 2, len(value)]) + value
        for number, value in fields.items()
        if value != 0
    )


def _public_key(signer):
    return _message({1: signer.uncompressed()})


def _state(to, from_balance, to_balance):
    parties = [_message({1: _public_key(ALICE), 2: from_balance}), _message({1: _public_key(to), 2: to_balance})]
    return _message({1: _message({1: CHANNEL}), 2: 1, 3: parties[0], 4: parties[1]})


def _historical(name, kind, body, *signatures, **around):
    """`signatures`: of (signer, what it signed)."""
    command = command_pb2.Command(**body, **around)
    serialized = command.SerializeToString()
    pairs = [(signer.key, signer.sign_historical(message)) for signer, message in signatures]
    if name.endswith("high S"):
        r, s = utils.decode_dss_signature(pairs[0][1])
        pairs[0] = (pairs[0][0], utils.encode_dss_signature(r, formats.GROUP_ORDER - s))
    return {
        "name": name,
        "kind": kind,
        "command": serialized,
        "messages": [message for _, message in signatures],
        "signers": [{"key": key, "signature": signature} for key, signature in pairs],
        "id": formats.historical_id(command) or b"",
        "envelope": formats.encode_envelope(serialized, pairs),
    }


def _historical_commands():
    plain = {1: _public_key(ALICE), 2: _public_key(BOB), 3: LARGEST}
    transfer = _message(plain)
    extended = _message({**plain, 5: 2**64 - 1, 6: TIME_US})
    commit = _message({**plain, 4: 1_575_000_000_000_000_000})
    shared, paid, back = _state(BOB, 400, 600), _state(GATEWAY, 0, 1_000), _state(GATEWAY, 1_000, 0)
    withdraw = command_pb2.BtfsWithdraw(success_state=paid, failure_state=back, fee=10)
    new_key, old_key = _public_key(BOB), _public_key(ALICE)
    rotation = command_pb2.BtfsRotateKey(new_key=new_key, old_key=old_key)
    return [
        _historical("transfer", formats.BTFS_TRANSFER, {"btfs_transfer": transfer}, (ALICE, transfer)),
        _historical("transfer, high S", formats.BTFS_TRANSFER, {"btfs_transfer": transfer}, (ALICE, transfer)),
        _historical(
            "transfer with nonce and expiry",
            formats.BTFS_TRANSFER,
            {"btfs_transfer": extended},
            (ALICE, extended),
            nonce=2**64 - 1,
            expires_us=TIME_US,
        ),
        _historical("open channel", formats.BTFS_OPEN_CHANNEL, {"btfs_open_channel": commit}, (ALICE, commit)),
        _historical(
            "close channel, both",
            formats.BTFS_CLOSE_CHANNEL,
            {"btfs_close_channel": shared},
            (BOB, shared),
            (ALICE, shared),
        ),
        _historical("close channel, to", formats.BTFS_CLOSE_CHANNEL, {"btfs_close_channel": back}, (GATEWAY, back)),
        _historical(
            "withdraw",
            formats.BTFS_WITHDRAW,
            {"btfs_withdraw": withdraw},
            (ALICE, paid),
            (ALICE, back),
            (GATEWAY, paid),
            (GATEWAY, back),
        ),
        _historical(
            "rotate key", formats.BTFS_ROTATE_KEY, {"btfs_rotate_key": rotation}, (ALICE, new_key), (BOB, old_key)
        ),
    ]


CHANNEL = 5


def _entries():
    """A list with seven postings, then what a channel lives through: opened, claimed from, closed."""
    commands = _commands()

    def entry(sequence, kind, postings):
        return _entry(sequence, TIME_US + sequence, kind, commands[0]["envelope"], postings, f"entry {sequence}")

    listed = [AccountPosting(number, 1, 100 + number, 0, 0, number if number else NONE) for number in range(7)]
    opened = [
        AccountPosting(2, 1, LARGEST - 1, 1, 0, 4),
        AccountPosting(3, 0, 0, 0, 0, NONE),
        ChannelPosting(CHANNEL, 1_000, 0, NONE),
    ]
    claimed = [AccountPosting(3, 1, 600, 0, 5, CHANNEL), ChannelPosting(CHANNEL, 1_000, 600, CHANNEL)]
    channel = ChannelPosting(CHANNEL, 1_000, 600, 6)
    kinds = [(3, formats.TRANSFER_LIST, listed), (CHANNEL, formats.OPEN_CHANNEL, opened), (6, formats.RECEIPT, claimed)]
    entries = [entry(*case) for case in kinds]
    history = _channel_history(entries)[-1]["after"]
    last_salt = formats.salt(_secret("entry 7"), 3)
    hashed = formats.posting_leaf_hash(last_salt, formats.encode_posting(channel))
    final = formats.next_history_hash(history, 7, hashed)
    closing = ClosingPosting(2, 1, LARGEST, 0, 0, CHANNEL, CHANNEL, final)
    entries.append(entry(7, formats.CLOSE_CHANNEL, [closing, AccountPosting(3, 1, 600, 0, 5, 6), channel]))
    return entries


def _channel_history(entries):
    steps, value = [], ZERO_HASH
    for entry in entries:
        for posting in entry["postings"]:
            if posting["fields"]["kind"] == "channel":
                after = formats.next_history_hash(value, entry["sequence"], posting["leaf_hash"])
                steps.append(
                    {"before": value, "sequence": entry["sequence"], "leaf_hash": posting["leaf_hash"], "after": after}
                )
                value = after
    return steps


def _notes():
    batch = [leaf_hash(f"leaf-{i}".encode()) for i in range(3)]
    promise = formats.Promise(ORIGIN, 2**40, len(batch), root(batch), TIME_US)
    checkpoint = formats.checkpoint_text(ORIGIN, 3, root(batch))
    return {
        "log_key_seed": LOG_SEED,
        "signer_key": formats.signer_key(ORIGIN, LOG_SEED),
        "verifier_key": LOG_VKEY,
        "leaf_hashes": batch,
        "checkpoint": formats.sign_note(ORIGIN, LOG_SEED, checkpoint),
        "promise": {**vars(promise), "note": formats.sign_note(ORIGIN, LOG_SEED, formats.promise_text(promise))},
    }


def _account_leaves():
    busy = formats.Account(
        key=ALICE.key,
        balances={1: (10, 20, 30), 2: (0, 0, 0), 3: (LARGEST, 0, 0), 70_000: (0, 1, 0)},
        nonces=[(2, 40), (3, 9), (2**64 - 1, 41)],
        channels=[(5, 1_000, 600, 6, _secret("channel 5")), (11, 7, 0, 11, _secret("channel 11"))],
        last_sequence=41,
        history_hash=_secret("history"),
    )
    idle = formats.Account(BOB.key, {}, [], [], 3, _secret("another history"))
    refusing = formats.Account(GATEWAY.key, {}, [(4, 12)], [], 12, _secret("a third history"), refuses_btfs=True)
    return [
        {**vars(account), "balances": _rows(account), "leaf": formats.account_leaf(account)}
        for account in (busy, idle, refusing)
    ]


def _liabilities():
    """Of accounts 0 to 4 in two assets: one account's way to the root."""
    secret = liabilities.secret_of(41, _secret("entry 40"))
    owed = {(0, 1): 1, (1, 1): 1_000, (3, 1): 70_000, (4, 1): 12, (4, 3): LARGEST}
    assets = liabilities.liabilities(secret, owed)
    return {
        "sequence": 41,
        "entry_secret": _secret("entry 40"),
        "owed": [[account, asset, amount] for (account, asset), amount in owed.items()],
        "secret_of_account_3": liabilities.account_secret(secret, 3, 1),
        "leaves_of_account_3": liabilities.leaves_of(secret, 3, 1, 70_000),
        "assets": assets,
        "root": liabilities.sealed_root(assets),
    }


def _rows(account):
    return [[asset, *amounts] for asset, amounts in account.balances.items()]


def make():
    entries = _entries()
    return _hex(
        {
            "about": {
                "what": "The formats of docs/formats.md on fixed inputs.",
                "made_with": "tests/compat/vectors.py, which was written from docs/formats.md "
                "and knows none of the C++ code",
                "how": "bytes are hex; secret keys and secrets are SHA-256 of the names in that file; "
                "signatures are deterministic (RFC 6979). The entries are no ledger: "
                "all but genesis hold the first command's envelope",
            },
            "keys": [{"key": signer.key, "tron_address": signer.address} for signer in (ALICE, BOB, GATEWAY)],
            "signing_tag": {"origin": ORIGIN, "genesis_leaf_hash": GENESIS["leaf_hash"], "tag": TAG.decode()},
            "commands": _commands(),
            "historical_commands": _historical_commands(),
            "entries": [GENESIS, *entries],
            "channel_history": _channel_history(entries),
            "notes": _notes(),
            "account_leaves": _account_leaves(),
            "liabilities": _liabilities(),
            "anchor_memo": {
                "size": 2**33,
                "root": _secret("root"),
                "memo": formats.anchor_memo(2**33, _secret("root")),
            },
        }
    )


def text():
    return json.dumps(make(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
