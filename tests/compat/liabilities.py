"""Proofs of liabilities: the sum trees that seals name, and an account's way through one (docs/formats.md)."""

import bisect
from collections import defaultdict

from formats import sha256
from merkle import leaf_hash, root

LARGEST = 2**63 - 1


def secret_of(sequence, entry_secret):
    return sha256(b"windlass/liabilities/v1", sequence.to_bytes(8, "big"), entry_secret)


def account_secret(secret, account, asset):
    return sha256(secret, account.to_bytes(8, "big"), asset.to_bytes(4, "big"))


def leaf_of(secret, account, asset, share):
    """`secret`: the account's."""
    return sha256(b"\x02", secret, account.to_bytes(8, "big"), asset.to_bytes(4, "big"), bytes([share]))


def leaves_of(secret, account, asset, amount):
    own = account_secret(secret, account, asset)
    first = int.from_bytes(sha256(own, b"split")[:16], "big") % (amount + 1)
    return [(leaf_of(own, account, asset, 0), first), (leaf_of(own, account, asset, 1), amount - first)]


def join(left, right):
    """ValueError for sums that cannot be."""
    total = left[1] + right[1]
    if min(left[1], right[1]) < 0 or total > LARGEST:
        raise ValueError("a sum is negative or too large")
    sums = [node[1].to_bytes(8, "big") for node in (left, right)]
    return sha256(b"\x03", left[0], sums[0], right[0], sums[1]), total


def sum_root(nodes):
    while len(nodes) > 1:
        pairs = [join(*nodes[k : k + 2]) for k in range(0, len(nodes) - 1, 2)]
        nodes = pairs + nodes[len(pairs) * 2 :]
    return nodes[0]


def sealed_root(assets):
    """Over (asset, total, root) by asset."""
    return root(
        [leaf_hash(asset.to_bytes(4, "big") + total.to_bytes(8, "big") + hashed) for asset, total, hashed in assets]
    )


def liabilities(secret, owed):
    """`owed`: (account, asset) -> amount. Gives (asset, total, root) by asset."""
    nodes = defaultdict(list)
    for (account, asset), amount in owed.items():
        if amount:
            nodes[asset] += leaves_of(secret, account, asset, amount)
    roots = {asset: sum_root(sorted(leaves)) for asset, leaves in nodes.items()}
    return [(asset, roots[asset][1], roots[asset][0]) for asset in sorted(roots)]


def check_proof(proof, seal, account, asset, amount):
    """A windlass.v1.LiabilityProof against a seal's command. ValueError unless the account is counted with that amount."""
    assets = [(row.asset, row.total, row.root) for row in proof.assets]
    numbers = [row[0] for row in assets]
    if numbers != sorted(set(numbers)) or sealed_root(assets) != seal.liabilities_root:
        raise ValueError("not the totals that the seal names")
    if proof.sequence != seal.liabilities_sequence:
        raise ValueError("of another entry")
    total = next(((row[2], row[1]) for row in assets if row[0] == asset), None)
    counted = 0
    for number, share in enumerate(proof.shares):
        node = (leaf_of(proof.secret, account, asset, number), share.amount)
        for step in share.path:
            sibling = (step.hash, step.sum)
            node = join(sibling, node) if step.left else join(node, sibling)
        if node != total:
            raise ValueError("not under the root")
        counted += share.amount
    if counted != amount or len(proof.shares) not in (0, 2):
        raise ValueError(f"counted with {counted}, owed {amount}")


class Owed:
    """What every account was owed after each entry, and the secret of the newest entry that is not public."""

    def __init__(self):
        self._versions = defaultdict(lambda: [(-1, 0)])  # (account, asset) -> [(sequence, amount)]
        self._secrets = []  # [(sequence, secret)]

    def note_secret(self, sequence, secret):
        self._secrets.append((sequence, secret))

    def note(self, sequence, account, asset, amount):
        self._versions[account, asset].append((sequence, amount))

    def after(self, sequence):
        owed = {}
        for whose, versions in self._versions.items():
            newest = bisect.bisect_right(versions, sequence, key=lambda version: version[0])
            owed[whose] = versions[newest - 1][1]
        return owed

    def liabilities(self, sequence):
        newest = bisect.bisect_right(self._secrets, sequence, key=lambda row: row[0])
        return liabilities(secret_of(sequence, self._secrets[newest - 1][1]), self.after(sequence))
