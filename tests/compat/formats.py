"""Windlass's formats as docs/formats.md states them: what a stranger would write to sign, read and verify."""

import base64
import functools
import hmac
import struct
from dataclasses import dataclass, field

import coincurve
from Crypto.Hash import keccak
from cryptography.hazmat.primitives.asymmetric import ed25519, utils

from merkle import leaf_hash, root, root_from_inclusion, sha256

NONE = 2**64 - 1  # as a `previous`: no entry before
ZERO_HASH = bytes(32)
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
GENESIS, SEAL, RECEIPT, TRANSFER, TRANSFER_LIST, OPEN_CHANNEL = range(6)
TOP_UP_CHANNEL, CLOSE_CHANNEL, ROTATE_KEY, CREDIT, SET_ROLES, SET_ASSET = range(6, 12)
REFUSE_BTFS, BTFS_TRANSFER, BTFS_OPEN_CHANNEL, BTFS_CLOSE_CHANNEL, BTFS_WITHDRAW, BTFS_ROTATE_KEY = range(16, 22)
PUBLIC_KINDS = {GENESIS, SEAL, SET_ROLES, SET_ASSET}


# Keys, signatures, digests


def keccak256(data):
    return keccak.new(digest_bits=256, data=data).digest()


@functools.lru_cache(maxsize=10_000)
def tron_address(key):
    return b"\x41" + keccak256(coincurve.PublicKey(key).format(compressed=False)[1:])[-20:]


def signing_tag(origin, genesis_leaf_hash):
    return f"windlass/v1/{origin}/{genesis_leaf_hash.hex()}".encode()


def digest(tag, command):
    prefix = sha256(tag)
    return sha256(prefix, prefix, command)


class Signer:
    """A secp256k1 key that signs for one ledger."""

    def __init__(self, secret=None):
        self._private = coincurve.PrivateKey(secret)
        self.key = self._private.public_key.format(compressed=True)
        self.address = tron_address(self.key)

    def sign(self, tag, command):
        return self.sign_recoverable(digest(tag, command))[:64]

    def sign_historical(self, message):
        """As clients of the historical BTFS ledger do: DER over one SHA-256."""
        return self._private.sign(message)

    def sign_recoverable(self, hashed):
        """r || s || v, as TRON's transactions have it."""
        signature = self._private.sign_recoverable(hashed, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def uncompressed(self):
        return self._private.public_key.format(compressed=False)

    def secret_hex(self):
        return self._private.secret.hex()


def signature_holds(key, tag, command, signature):
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    der = utils.encode_dss_signature(r, s)
    return len(signature) == 64 and coincurve.verify_signature(der, digest(tag, command), key, hasher=None)


def historical_signature_holds(key, message, signature):
    """Any S is good; libsecp256k1 takes the low one alone, and reads DER that is not strict."""
    r, s = utils.decode_dss_signature(signature)
    low = utils.encode_dss_signature(r, min(s, GROUP_ORDER - s))
    strict = signature == utils.encode_dss_signature(r, s)
    return strict and len(signature) <= 72 and coincurve.verify_signature(low, message, key)


# What historical clients signed


def wire_fields(message):
    """Of a message of theirs: number -> int or bytes."""
    fields, reader = {}, Reader(message)
    while reader.left():
        tag = _varint(reader)
        fields[tag >> 3] = reader.take(_varint(reader)) if tag & 7 == 2 else _varint(reader)
    return fields


def _varint(reader):
    value, shift = 0, 0
    while True:
        byte = reader.number(1)
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7


def historical_key(message):
    """Of a ledger.PublicKey, compressed."""
    return coincurve.PublicKey(wire_fields(message)[1]).format(compressed=True)


@dataclass(frozen=True)
class ChannelState:
    channel: int
    from_key: bytes
    to_key: bytes
    from_balance: int
    to_balance: int

    @classmethod
    def decode(cls, message):
        fields = wire_fields(message)
        parties = [wire_fields(fields[number]) for number in (3, 4)]
        keys = [historical_key(party[1]) for party in parties]
        return cls(wire_fields(fields[1])[1], *keys, *(party.get(2, 0) for party in parties))


def historical_messages(command, signers):
    """Of a Command that the ledger wrapped around them: (key, message) for each of so many signers, in their order."""
    body = command.WhichOneof("body")
    if body in ("btfs_transfer", "btfs_open_channel"):
        message = getattr(command, body)
        return [(historical_key(wire_fields(message)[1]), message)]
    if body == "btfs_close_channel":
        state = ChannelState.decode(command.btfs_close_channel)
        return [(key, command.btfs_close_channel) for key in (state.to_key, state.from_key)[:signers]]
    if body == "btfs_withdraw":
        both = [command.btfs_withdraw.success_state, command.btfs_withdraw.failure_state]
        state = ChannelState.decode(both[0])
        return [(key, message) for key in (state.from_key, state.to_key) for message in both]
    if body == "btfs_rotate_key":
        new_key, old_key = command.btfs_rotate_key.new_key, command.btfs_rotate_key.old_key
        return [(historical_key(old_key), new_key), (historical_key(new_key), old_key)]
    return []


def historical_id(command):
    """What a transfer or a channel's opening is known by; None of anything else."""
    if command.HasField("btfs_transfer"):
        return sha256(command.btfs_transfer)
    if command.HasField("btfs_open_channel"):
        fields = wire_fields(command.btfs_open_channel)
        return sha256(b"windlass/btfs/commit", historical_key(fields[1]), struct.pack(">q", fields[4]))
    return None


# Envelope


def encode_envelope(command, signers):
    parts = [struct.pack(">I", len(command)), command, bytes([len(signers)])]
    for key, signature in signers:
        parts += [bytes([len(key)]), key, bytes([len(signature)]), signature]
    return b"".join(parts)


class Reader:
    """Takes fields off the front of bytes; ValueError where they end too early, or not at the end."""

    def __init__(self, data):
        self._data = data

    def take(self, count):
        if len(self._data) < count:
            raise ValueError("bytes end too early")
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def number(self, width):
        return int.from_bytes(self.take(width), "big")

    def left(self):
        return len(self._data)

    def finish(self):
        if self._data:
            raise ValueError("bytes left over")


def decode_envelope(envelope):
    """-> (command, [(key, signature)])"""
    reader = Reader(envelope)
    command = reader.take(reader.number(4))
    signers = []
    for _ in range(reader.number(1)):
        key = reader.take(reader.number(1))
        signers.append((key, reader.take(reader.number(1))))
    reader.finish()
    return command, signers


# Postings


@dataclass(frozen=True)
class AccountPosting:
    account: int
    asset: int
    available: int
    locked: int
    held: int
    previous: int


@dataclass(frozen=True)
class ClosingPosting(AccountPosting):
    channel: int
    history_hash: bytes


@dataclass(frozen=True)
class ChannelPosting:
    channel: int
    deposit: int
    claimed: int
    previous: int


_ACCOUNT, _CHANNEL, _CLOSING = struct.Struct(">BQIqqqQ"), struct.Struct(">BQqqQ"), struct.Struct(">BQIqqqQQ32s")


def encode_posting(posting):
    values = tuple(vars(posting).values())
    if isinstance(posting, ClosingPosting):
        return _CLOSING.pack(3, *values)
    if isinstance(posting, AccountPosting):
        return _ACCOUNT.pack(1, *values)
    return _CHANNEL.pack(2, *values)


def decode_posting(data):
    kinds = {1: (_ACCOUNT, AccountPosting), 2: (_CHANNEL, ChannelPosting), 3: (_CLOSING, ClosingPosting)}
    layout, make = kinds[data[0]]
    return make(*layout.unpack(data)[1:])


def salt(secret, index):
    return sha256(secret, struct.pack(">I", index))


def posting_leaf_hash(posting_salt, posting):
    return sha256(b"\x00", posting_salt, posting)


def postings_root(secret, postings):
    return root([posting_leaf_hash(salt(secret, 1 + k), posting) for k, posting in enumerate(postings)])


# Entry


@dataclass(frozen=True)
class Leaf:
    sequence: int
    time_us: int
    kind: int
    envelope_hash: bytes
    postings_root: bytes

    _LAYOUT = struct.Struct(">BQqH32s32s")

    def encode(self):
        return self._LAYOUT.pack(1, self.sequence, self.time_us, self.kind, self.envelope_hash, self.postings_root)

    @classmethod
    def decode(cls, data):
        version, *values = cls._LAYOUT.unpack(data)
        if version != 1:
            raise ValueError("not a leaf of version 1")
        return cls(*values)


def make_leaf(sequence, time_us, kind, envelope, postings, secret):
    return Leaf(sequence, time_us, kind, sha256(salt(secret, 0), envelope), postings_root(secret, postings))


def posting_root_of(shown):
    """The postings root that one shown posting (a windlass.v1.Posting) leads to."""
    return root_from_inclusion(posting_leaf_hash(shown.salt, shown.posting), shown.index, shown.count, shown.path)


def next_history_hash(old, sequence, leaf):
    return sha256(old, struct.pack(">Q", sequence), leaf)


@dataclass
class Histories:
    """The history hashes of accounts and channels over a replay of entries."""

    accounts: dict = field(default_factory=dict)
    channels: dict = field(default_factory=dict)

    def add(self, sequence, postings, secret):
        for k, data in enumerate(postings):
            posting = decode_posting(data)
            chains, number = self._chain_of(posting)
            hashed = posting_leaf_hash(salt(secret, 1 + k), data)
            chains[number] = next_history_hash(chains.get(number, ZERO_HASH), sequence, hashed)

    def _chain_of(self, posting):
        if isinstance(posting, ChannelPosting):
            return self.channels, posting.channel
        return self.accounts, posting.account


# Notes: C2SP signed notes with Ed25519 keys


NOTE_KEY, COSIGNATURE_KEY = 1, 4


def _note_key_id(name, key, kind=NOTE_KEY):
    return sha256(name.encode(), b"\n", bytes([kind]), key)[:4]


def verifier_key(name, key, kind=NOTE_KEY):
    """`name+id+base64`: the text that stands in genesis. Key: 32 bytes."""
    return f"{name}+{_note_key_id(name, key, kind).hex()}+{base64.b64encode(bytes([kind]) + key).decode()}"


def _public_key(seed):
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def verifier_key_of_seed(name, seed):
    return verifier_key(name, _public_key(seed))


def witness_key_of_seed(name, seed):
    return verifier_key(name, _public_key(seed), COSIGNATURE_KEY)


def open_cosignature(note, vkey):
    """The time of the cosignature/v1 that vkey's owner has put on a note; ValueError or InvalidSignature for none."""
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded, validate=True)[1:]
    if _note_key_id(name, key, COSIGNATURE_KEY).hex() != key_id:
        raise ValueError("not a witness's key")
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        _, signer, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        if signer == name and signature[:4].hex() == key_id:
            seconds = int.from_bytes(signature[4:12], "big")
            message = f"cosignature/v1\ntime {seconds}\n{text}\n"
            ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature[12:], message.encode())
            return seconds
    raise ValueError("no cosignature of this key")


def signer_key(name, seed):
    """`PRIVATE+KEY+name+id+base64`: what the server reads its log key from."""
    key = _public_key(seed)
    return f"PRIVATE+KEY+{name}+{_note_key_id(name, key).hex()}+{base64.b64encode(bytes([1]) + seed).decode()}"


def sign_note(name, seed, text):
    private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    key_id = _note_key_id(name, _public_key(seed))
    signature = base64.b64encode(key_id + private.sign(text.encode())).decode()
    return f"{text}\n\u2014 {name} {signature}\n"


def open_note(note, vkey):
    """The text of a note that vkey's owner has signed; ValueError (or InvalidSignature) for any other."""
    name, key_id, encoded = vkey.split("+", 2)
    typed = base64.b64decode(encoded, validate=True)
    if typed[0] != 1 or len(typed) != 33 or _note_key_id(name, typed[1:]).hex() != key_id:
        raise ValueError("not an Ed25519 verifier key")
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise ValueError("not a signed note")
    text += "\n"
    for line in signatures[:-1].split("\n"):
        dash, signer, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and signer == name and signature[:4].hex() == key_id:
            ed25519.Ed25519PublicKey.from_public_bytes(typed[1:]).verify(signature[4:], text.encode())
            return text
    raise ValueError("no signature of this key")


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes


def checkpoint_text(origin, size, tree_root):
    return f"{origin}\n{size}\n{base64.b64encode(tree_root).decode()}\n"


def open_checkpoint(note, vkey):
    origin, size, encoded, end = open_note(note, vkey).split("\n")
    if end:
        raise ValueError("extension lines")
    return Checkpoint(origin, int(size), base64.b64decode(encoded, validate=True))


@dataclass(frozen=True)
class Promise:
    origin: str
    first_sequence: int
    count: int
    root: bytes
    time_us: int


def promise_text(promise):
    return (
        f"windlass/promise/v1\n{promise.origin}\n{promise.first_sequence}\n{promise.count}\n"
        f"{base64.b64encode(promise.root).decode()}\n{promise.time_us}\n"
    )


def open_promise(note, vkey):
    kind, origin, first, count, encoded, time_us, end = open_note(note, vkey).split("\n")
    if kind != "windlass/promise/v1" or end:
        raise ValueError("not a promise")
    return Promise(origin, int(first), int(count), base64.b64decode(encoded, validate=True), int(time_us))


@dataclass(frozen=True)
class LogProof:
    index: int
    path: list
    checkpoint: str


def open_tlog_proof(text):
    """A C2SP tlog-proof: its index, path and checkpoint (a note, unchecked)."""
    head, _, checkpoint = text.partition("\n\n")
    magic, *lines = head.split("\n")
    if magic != "c2sp.org/tlog-proof@v1":
        raise ValueError("not a tlog-proof")
    if lines and lines[0].startswith("extra "):
        lines.pop(0)
    word, number = lines.pop(0).split(" ")
    if word != "index":
        raise ValueError("no index")
    return LogProof(int(number), [base64.b64decode(line, validate=True) for line in lines], checkpoint)


# Account leaf


@dataclass
class Account:
    key: bytes
    balances: dict  # asset -> (available, locked, held)
    nonces: list  # (nonce, sequence)
    channels: list  # of open ones: (id, deposit, claimed, last sequence, history hash)
    last_sequence: int
    history_hash: bytes
    refuses_btfs: bool = False


def balances_root(balances):
    return root([
        leaf_hash(struct.pack(">Iqqq", asset, *amounts)) for asset, amounts in sorted(balances.items()) if any(amounts)
    ])


def channels_root(channels):
    return root([leaf_hash(struct.pack(">QqqQ32s", *channel)) for channel in sorted(channels)])


def account_leaf(account):
    nonces = b"".join(struct.pack(">QQ", *pair) for pair in sorted(account.nonces))
    return b"".join(
        [
            b"\x01",
            account.key,
            tron_address(account.key),
            balances_root(account.balances),
            struct.pack(">Q", account.last_sequence),
            sha256(nonces),
            channels_root(account.channels),
            sha256(b"\x01") if account.refuses_btfs else ZERO_HASH,
            account.history_hash,
        ]
    )


@dataclass(frozen=True)
class AccountLeaf:
    """A leaf as it is read."""

    key: bytes
    address: bytes
    balances_root: bytes
    last_sequence: int
    nonces_hash: bytes
    channels_root: bytes
    extra: bytes
    history_hash: bytes

    _LAYOUT = struct.Struct(">B33s21s32sQ32s32s32s32s")

    @classmethod
    def decode(cls, data):
        version, *values = cls._LAYOUT.unpack(data)
        if version != 1:
            raise ValueError("not an account leaf of version 1")
        return cls(*values)


# On TRON


def anchor_memo(size, tree_root):
    return struct.pack(">Q", size) + tree_root


def chain_amount(amount):
    """Big-endian without leading zeros."""
    return amount.to_bytes((amount.bit_length() + 7) // 8, "big")


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def deposit_address(deposit_key, account):
    """The TRON address of an xpub's child (BIP-32): one multiplication and one addition on the curve."""
    number = 0
    for digit in deposit_key:
        number = number * 58 + _BASE58.index(digit)
    serialized = number.to_bytes(82, "big")
    assert sha256(sha256(serialized[:78]))[:4] == serialized[78:]
    chain_code, key = serialized[13:45], serialized[45:78]
    mixed = hmac.digest(chain_code, key + struct.pack(">I", account), "sha512")
    return tron_address(coincurve.PublicKey(key).add(mixed[:32]).format())
