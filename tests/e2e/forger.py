"""An operator who owns every key and every file, and rewrites the ledger so that it holds together again."""

from dataclasses import dataclass, replace

import formats
import merkle
from formats import NONE, ChannelPosting, Histories, decode_posting, encode_posting
from windlass.v1 import command_pb2, ledger_pb2

_POSTING_BYTES = {1: 45, 2: 33, 3: 85}
_LEAF_BYTES = 223


@dataclass
class Entry:
    time_us: int
    kind: int
    secret: bytes
    envelope: bytes
    postings: list

    @property
    def command(self):
        return command_pb2.Command.FromString(formats.decode_envelope(self.envelope)[0])

    @property
    def signed(self):
        """As its sender sent it."""
        command, signers = formats.decode_envelope(self.envelope)
        signatures = [ledger_pb2.Signature(key=key, signature=signature) for key, signature in signers]
        return ledger_pb2.SignedCommand(command=command, signatures=signatures)

    def recommand(self, command):
        """Another command under the signatures that the old one had."""
        _, signers = formats.decode_envelope(self.envelope)
        self.envelope = formats.encode_envelope(command.SerializeToString(), signers)

    def posting(self, account):
        (index,) = [k for k, posting in enumerate(self.postings) if _account(posting) == account]
        return self.postings[index]

    def change(self, account, available=0, **fields):
        """Of the account's posting: adds to what is available, and sets the fields."""
        posting = self.posting(account)
        changed = replace(posting, available=posting.available + available, **fields)
        self.postings[self.postings.index(posting)] = changed

    def touches(self, account):
        return any(_account(posting) == account for posting in self.postings)


class Journal(list):
    """The entries of a ledger whose server is stopped. write() puts them back, whatever was done to them: leaf hashes,
    links, and the rows of the accounts that they touch follow from them."""

    def __init__(self, database):
        columns = ("secret", "envelope", "postings")
        encoded = ", ".join(f"encode({column}, 'hex')" for column in columns)
        for time_us, kind, *hexes in database.sql(f"SELECT time_us, kind, {encoded} FROM entries ORDER BY sequence"):
            secret, envelope, postings = map(bytes.fromhex, hexes)
            self.append(Entry(int(time_us), int(kind), secret, envelope, split_postings(postings)))
        self._database = database

    def next_of(self, account, after):
        """The account's first entry after that one."""
        return next(sequence for sequence in range(after + 1, len(self)) if self[sequence].touches(account))

    def leave_out(self, sequence):
        """As if it had never been: the entries after it are renumbered, and whoever it touched never hears of it."""
        gone = self.pop(sequence)
        before = {_name(posting): posting.previous for posting in gone.postings}
        for entry in self[sequence:]:
            for k, posting in enumerate(entry.postings):
                previous = posting.previous
                if previous == sequence:
                    previous = before[_name(posting)]
                elif sequence < previous < NONE:
                    previous -= 1
                entry.postings[k] = replace(posting, previous=previous)

    def leaf_hashes(self):
        return [merkle.leaf_hash(self._leaf(sequence)) for sequence in range(len(self))]

    def _leaf(self, sequence):
        entry = self[sequence]
        postings = [encode_posting(posting) for posting in entry.postings]
        return formats.make_leaf(sequence, entry.time_us, entry.kind, entry.envelope, postings, entry.secret).encode()

    def write(self):
        self._database.script(
            [
                "TRUNCATE entries",
                *(self._insert(sequence) for sequence in range(len(self))),
                *self._rows(),
                f"UPDATE ledger SET flushed_through = {len(self) - 1}, time_us = {self[-1].time_us}",
            ]
        )

    def _insert(self, sequence):
        entry, leaf_hash = self[sequence], merkle.leaf_hash(self._leaf(sequence))
        postings = b"".join(map(encode_posting, entry.postings))
        hexes = ", ".join(f"'\\x{data.hex()}'" for data in (leaf_hash, entry.secret, entry.envelope, postings))
        return (
            "INSERT INTO entries (sequence, time_us, kind, leaf_hash, secret, envelope, postings, links) VALUES "
            f"({sequence}, {entry.time_us}, {entry.kind}, {hexes}, '{links_of(entry.postings)}')"
        )

    def _rows(self):
        balances, last = {}, {}
        for sequence, entry in enumerate(self):
            for posting in entry.postings:
                if isinstance(posting, ChannelPosting):
                    continue
                last[posting.account] = sequence
                own = balances.setdefault(posting.account, {})
                if posting.asset:
                    own[posting.asset] = (posting.asset, posting.available, posting.locked, posting.held)
        for account, own in balances.items():
            amounts = ",".join(str(number) for asset in sorted(own) for number in own[asset])
            changed = f"amounts = '{{{amounts}}}', last_sequence = {last[account]}"
            yield f"UPDATE accounts SET {changed} WHERE number = {account}"


def _account(posting):
    return getattr(posting, "account", None)


def _name(posting):
    if isinstance(posting, ChannelPosting):
        return "channel", posting.channel
    return "account", posting.account


def split_postings(data):
    postings = []
    while data:
        width = _POSTING_BYTES[data[0]]
        postings.append(decode_posting(data[:width]))
        data = data[width:]
    return postings


def links_of(postings):
    """The column of that name, as SQL: who is touched, and by which entry before; two assets of one share it."""
    links = {}
    for posting in postings:
        kind, number = _name(posting)
        links.setdefault(-2 * number - (2 if kind == "account" else 3), posting.previous)
    signed = (number if number != NONE else -1 for pair in links.items() for number in pair)
    return "{" + ",".join(map(str, signed)) + "}"


def history_without(journal, account, left_out):
    """The account's history hash over all entries but that one."""
    histories = Histories()
    for sequence, entry in enumerate(journal):
        for k, posting in enumerate(entry.postings):
            if _account(posting) != account or sequence == left_out:
                continue
            hashed = formats.posting_leaf_hash(formats.salt(entry.secret, 1 + k), encode_posting(posting))
            old = histories.accounts.get(account, formats.ZERO_HASH)
            histories.accounts[account] = formats.next_history_hash(old, sequence, hashed)
    return histories.accounts[account]


class SnapshotFiles:
    """The newest balance snapshot in a stopped server's folder, to be replaced by another."""

    def __init__(self, directory):
        self._directory = directory
        self._header, *_, newest = (directory / "head").read_text().splitlines()
        sequence, accounts, _ = newest.split()
        self.sequence, count = int(sequence), int(accounts)
        data = (directory / "leaves").read_bytes()
        self.leaves = [data[k * _LEAF_BYTES : (k + 1) * _LEAF_BYTES] for k in range(count)]

    def set_history(self, account, history_hash):
        self.leaves[account] = self.leaves[account][:-32] + history_hash

    def root(self):
        return merkle.root([merkle.leaf_hash(leaf) for leaf in self.leaves])

    def write(self):
        """-> its root"""
        for file in self._directory.iterdir():
            file.unlink()
        (self._directory / "leaves").write_bytes(b"".join(self.leaves))
        level, hashes = 0, [merkle.leaf_hash(leaf) for leaf in self.leaves]
        while len(hashes) > 1:
            level += 1
            hashes = [merkle.node_hash(*hashes[k : k + 2]) for k in range(0, len(hashes) - 1, 2)]
            (self._directory / f"nodes.{level}").write_bytes(b"".join(hashes))
        head = f"{self._header}\n{self.sequence} {len(self.leaves)} {self.root().hex()}\n"
        (self._directory / "head").write_text(head)
        return self.root()


def put_anchor(database, number, size, root, checkpoint, txid, block):
    """A row that says: this transaction anchors this root."""
    database.sql(
        "INSERT INTO anchors (id, size, root, checkpoint, state, sealed_us, size_at_request, transaction, transaction_id, "
        "expiration_ms, reference_block, reference_id, epoch, block, block_ms, solidified_us) VALUES "
        f"({number}, {size}, '\\x{root.hex()}', '{checkpoint}', 'solidified', 0, {size}, '', '\\x{txid.hex()}', 0, 0, '', 1, "
        f"{block}, 0, 0)"
    )


def credit_of(txid, place, asset, amount, owner, source):
    block, index = place
    return command_pb2.Credit(
        asset=asset,
        amount=formats.chain_amount(amount),
        owner=owner,
        chain=1,
        block=block,
        transaction=index,
        transaction_id=txid,
        source=source,
    )
