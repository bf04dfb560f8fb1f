"""RFC 6962 Merkle trees and the proofs in them, written from the RFC; and C2SP's tiles over such a tree."""

import hashlib

EMPTY_ROOT = hashlib.sha256(b"").digest()
TILE_WIDTH = 256


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_hash(leaf):
    return sha256(b"\x00", leaf)


def node_hash(left, right):
    return sha256(b"\x01", left, right)


def _split(count):
    """The largest power of two below count."""
    return 1 << (count - 1).bit_length() - 1


def root(hashes):
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    middle = _split(len(hashes))
    return node_hash(root(hashes[:middle]), root(hashes[middle:]))


def inclusion_path(hashes, index):
    """The siblings from the leaf up."""
    if len(hashes) == 1:
        return []
    middle = _split(len(hashes))
    if index < middle:
        return inclusion_path(hashes[:middle], index) + [root(hashes[middle:])]
    return inclusion_path(hashes[middle:], index - middle) + [root(hashes[:middle])]


def root_from_inclusion(leaf, index, size, path):
    """The root that a leaf and its path lead to (RFC 9162, 2.1.3.2). ValueError for a path of another length."""
    if index >= size:
        raise ValueError("index beyond the tree")
    node, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ValueError("path too long")
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ValueError("path too short")
    return result


def check_consistency(old_size, old_root, size, new_root, path):
    """ValueError unless the path proves that the new tree begins with the old one (RFC 9162, 2.1.4.2)."""
    if old_size > size:
        raise ValueError("sizes out of order")
    if old_size in (0, size):
        if path or old_root != (new_root if old_size else EMPTY_ROOT):
            raise ValueError("one size, two roots")
        return
    path = list(path)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ValueError("path too short")
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old, new = path[0], path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ValueError("path too long")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    if last or old != old_root or new != new_root:
        raise ValueError("the trees are not consistent")


def tile_path(level, index, size):
    """Where tlog-tiles has tile `index` of a level (a number, or "entries") in a log of `size`; None beyond it."""
    height = 0 if level == "entries" else level
    nodes = size >> (8 * height)
    width = min(nodes - index * TILE_WIDTH, TILE_WIDTH)
    if width <= 0:
        return None
    groups = []
    number = index
    while True:
        groups.insert(0, f"{number % 1000:03}")
        number //= 1000
        if not number:
            break
    name = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"/tile/{level}/{name}" + (f".p/{width}" if width < TILE_WIDTH else "")


def entries_of_bundle(bundle):
    """The entries of an entry bundle, each with a length of two bytes before it."""
    entries = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        if len(bundle) < 2 + length:
            raise ValueError("the bundle ends within an entry")
        entries.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return entries
