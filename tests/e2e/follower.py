"""The compatibility tests' replay, as it follows a log that goes on growing, held against SQL."""

import merkle
from formats import SEAL, decode_envelope
from replay import Replay


class Tree:
    """An RFC 6962 tree that only grows: the roots of its complete subtrees, largest first."""

    def __init__(self):
        self.size, self._subtrees = 0, []

    def append(self, leaf_hash):
        self.size += 1
        self._subtrees.append(leaf_hash)
        unpaired = self.size
        while unpaired % 2 == 0:
            right, left = self._subtrees.pop(), self._subtrees.pop()
            self._subtrees.append(merkle.node_hash(left, right))
            unpaired //= 2

    def root(self):
        if not self._subtrees:
            return merkle.EMPTY_ROOT
        root = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            root = merkle.node_hash(left, root)
        return root


class Follower(Replay):
    def __init__(self):
        super().__init__()
        self.tree = Tree()
        self.sequence_of = {}  # by the command's bytes: each may stand once

    def read_on(self, client):
        for entry in client.all_entries(first=self.tree.size):
            self.add(entry)
            self.tree.append(entry.leaf_hash)
            command, _ = decode_envelope(entry.envelope)
            if entry.kind != SEAL:
                assert command not in self.sequence_of, f"entry {entry.sequence} is {self.sequence_of[command]} again"
                self.sequence_of[command] = entry.sequence
        return self

    def differences_from(self, database):
        """Between the replayed and what SQL shows, as of the last entry (Ledger.wait_flushed)."""
        balances = {where: (row.available, row.locked, row.held) for where, row in self.balances.items()}
        channels = {number: (row.deposit, row.claimed) for number, row in self.channels.items()}
        return [
            *_differences("balance", balances, database.rows(_BALANCES, 2)),
            *_differences("open channel", channels, database.rows(_CHANNELS, 1)),
        ]


_BALANCES = "SELECT b.account, s.number, b.available, b.locked, b.held FROM balances b JOIN assets s USING (symbol)"
_CHANNELS = "SELECT id, deposit, claimed FROM channels WHERE open"


def _differences(what, replayed, stored):
    return [
        f"{what} {where}: stored {stored.get(where)}, replayed {replayed.get(where)}"
        for where in sorted(replayed.keys() | stored.keys())
        if any(replayed.get(where, ())) or any(stored.get(where, ()))
        if replayed.get(where) != stored.get(where)
    ]
