"""An account in a balance snapshot that a seal names: proven up to the signed log from docs/formats.md alone."""

import pytest

from client import DEADLINE_S, command_pb2, log_pb2, query_pb2
from formats import (
    SEAL,
    ZERO_HASH,
    AccountLeaf,
    AccountPosting,
    ChannelPosting,
    ClosingPosting,
    Leaf,
    balances_root,
    channels_root,
    decode_envelope,
    decode_posting,
    next_history_hash,
    open_checkpoint,
    posting_leaf_hash,
    posting_root_of,
    sha256,
    tron_address,
)
from merkle import leaf_hash, root_from_inclusion
from processes import wait_until
from test_commands import open_channel, submit_receipt


@pytest.fixture(scope="module")
def people(ledger, roles, funded):
    """A payer with a closed channel and an open one, and their recipient; then a seal that names a snapshot of it."""
    payer, recipient = funded(), funded()
    ledger.submit(payer, transfer=ledger.transfer(recipient.key, 1_234))
    closed, still_open = (open_channel(ledger, payer, recipient.key, 5_000).sequence for _ in range(2))
    for channel in (closed, still_open):
        assert submit_receipt(ledger, payer, channel, 700).HasField("accepted")
    last = ledger.submit(recipient, close_channel=command_pb2.CloseChannel(channel=closed))

    def sealed():
        request = command_pb2.RequestSeal(block_id=sha256(b"newest"))
        ledger.execute(roles.anchor, request_seal=request)
        return statement(ledger, payer.key).snapshot_sequence >= last.sequence

    wait_until(sealed, "a seal that names a snapshot")
    return payer, recipient


def statement(ledger, key):
    return ledger.log.GetStatement(log_pb2.GetStatementRequest(key=key), timeout=DEADLINE_S)


def history(ledger, **whose):
    """Oldest first."""
    entries, token = [], ""
    while not entries or token:
        request = query_pb2.GetHistoryRequest(page_size=2, page_token=token, **whose)
        page = ledger.query.GetHistory(request, timeout=DEADLINE_S)
        entries += page.entries
        token = page.next_page_token
    return entries[::-1]


def own_postings(entries, belongs):
    """(entry, posting, its leaf hash) of those, each proven to be in the entry's leaf."""
    for entry in entries:
        assert leaf_hash(entry.leaf) == entry.leaf_hash
        for shown in entry.postings:
            posting = decode_posting(shown.posting)
            if belongs(posting):
                assert posting_root_of(shown) == Leaf.decode(entry.leaf).postings_root
                yield entry, posting, posting_leaf_hash(shown.salt, shown.posting)


def folded(postings):
    hashed = ZERO_HASH
    for entry, _, posting_hash in postings:
        hashed = next_history_hash(hashed, entry.sequence, posting_hash)
    return hashed


def account_chain(ledger, key, shown):
    """Up to the snapshot."""
    number = shown.number
    chain = own_postings(history(ledger, key=key), lambda p: isinstance(p, AccountPosting) and p.account == number)
    return [link for link in chain if link[0].sequence <= shown.snapshot_sequence]


@pytest.mark.parametrize("who", [0, 1], ids=["payer", "recipient"])
def test_a_leaf_is_under_the_root_that_a_seal_in_the_log_names(ledger, log_vkey, people, who):
    shown = statement(ledger, people[who].key)
    assert root_from_inclusion(leaf_hash(shown.leaf), shown.number, shown.accounts, shown.path) == shown.snapshot_root

    assert Leaf.decode(shown.seal.leaf).kind == SEAL
    assert sha256(shown.seal.envelope_salt, shown.seal.envelope) == Leaf.decode(shown.seal.leaf).envelope_hash
    seal = command_pb2.Command.FromString(decode_envelope(shown.seal.envelope)[0]).seal
    assert (seal.snapshot_sequence, seal.snapshot_root) == (shown.snapshot_sequence, shown.snapshot_root)
    assert seal.snapshot_sequence < shown.seal.sequence and shown.accounts <= seal.accounts

    checkpoint = open_checkpoint(ledger.checkpoint_note(shown.seal.sequence + 1), log_vkey)
    proof = ledger.inclusion(shown.seal.sequence, checkpoint.size)
    hashed = leaf_hash(shown.seal.leaf)
    assert root_from_inclusion(hashed, shown.seal.sequence, checkpoint.size, proof.path) == checkpoint.root


@pytest.mark.parametrize("who", [0, 1], ids=["payer", "recipient"])
def test_a_leaf_commits_to_the_whole_history_and_the_balances_after_it(ledger, people, who):
    key = people[who].key
    shown = statement(ledger, key)
    leaf = AccountLeaf.decode(shown.leaf)
    chain = account_chain(ledger, key, shown)
    assert (leaf.key, leaf.address, leaf.extra) == (key, tron_address(key), ZERO_HASH)
    assert leaf.last_sequence == chain[-1][0].sequence
    assert leaf.history_hash == folded(chain)
    balances = {p.asset: (p.available, p.locked, p.held) for _, p, _ in chain if p.asset}
    assert leaf.balances_root == balances_root(balances)


def test_a_leaf_commits_to_the_open_channels_alone(ledger, people):
    payer, recipient = people
    shown = statement(ledger, payer.key)
    chain = account_chain(ledger, payer.key, shown)
    closings = {p.channel: p.history_hash for _, p, _ in chain if isinstance(p, ClosingPosting)}
    opened = [
        p.channel
        for entry, p, _ in own_postings(
            [entry for entry, _, _ in chain],
            lambda p: isinstance(p, ChannelPosting),
        )
        if p.channel == entry.sequence
    ]
    assert len(closings) == 1 and len(opened) == 2
    still_open = []
    for channel in opened:
        entries = history(ledger, channel=channel)
        links = list(own_postings(entries, lambda p: isinstance(p, ChannelPosting) and p.channel == channel))
        if channel in closings:
            assert closings[channel] == folded(links)
        else:
            entry, last, _ = links[-1]
            still_open.append((channel, last.deposit, last.claimed, entry.sequence, folded(links)))
    assert AccountLeaf.decode(shown.leaf).channels_root == channels_root(still_open)
    assert AccountLeaf.decode(statement(ledger, recipient.key).leaf).channels_root == channels_root([])


def test_a_leaf_commits_to_the_kept_nonces(ledger, people):
    shown = statement(ledger, people[0].key)
    used = []
    for entry in history(ledger, key=people[0].key):
        signed, signers = decode_envelope(entry.envelope)
        command = command_pb2.Command.FromString(signed)
        if entry.sequence <= shown.snapshot_sequence and signers[0][0] == people[0].key and command.nonce:
            used.append((command.nonce, entry.sequence))
    pairs = b"".join(nonce.to_bytes(8, "big") + sequence.to_bytes(8, "big") for nonce, sequence in sorted(used)[-16:])
    assert AccountLeaf.decode(shown.leaf).nonces_hash == sha256(pairs)


@pytest.mark.parametrize("part", ["leaf", "path", "snapshot_root", "number"])
def test_an_altered_statement_is_found(ledger, people, part):
    shown = statement(ledger, people[0].key)
    leaf, path, number, root = shown.leaf, list(shown.path), shown.number, shown.snapshot_root
    if part == "leaf":
        leaf = leaf[:60] + bytes([leaf[60] ^ 1]) + leaf[61:]
    elif part == "path":
        path[0] = sha256(path[0])
    elif part == "snapshot_root":
        root = sha256(root)
    else:
        number ^= 1
    assert root_from_inclusion(leaf_hash(leaf), number, shown.accounts, path) != root
