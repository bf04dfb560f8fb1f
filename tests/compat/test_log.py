"""Checkpoints, promises kept, inclusion and consistency proofs, and the tiles over HTTP."""

import dataclasses
import urllib.request

import grpc
import pytest
from cryptography.exceptions import InvalidSignature

from client import DEADLINE_S, log_pb2
from formats import Signer, checkpoint_text, open_checkpoint, open_note, open_promise, open_tlog_proof
from merkle import TILE_WIDTH, check_consistency, entries_of_bundle, leaf_hash, root, root_from_inclusion, tile_path
from processes import http_get

BATCH = 300  # more than a tile is wide


@pytest.fixture(scope="module")
def acknowledgements(ledger, funded):
    """Of a few hundred payments, with promises."""
    payer = funded(10_000_000)
    signed = [ledger.signed(ledger.command(transfer=ledger.transfer(Signer().key, 1_000)), payer) for _ in range(BATCH)]
    [results] = ledger.submit_stream(signed, promises=True)
    return [ledger.verified(result.accepted) for result in results]


def checkpoint_of(ledger, log_vkey, minimum_size=0):
    return open_checkpoint(ledger.checkpoint_note(minimum_size), log_vkey)


def test_promises_are_kept_by_the_checkpoint_that_covers_them(ledger, acknowledgements, log_vkey):
    checkpoint = checkpoint_of(ledger, log_vkey, acknowledgements[-1].sequence + 1)
    for acknowledgement in acknowledgements[:: BATCH // 10]:
        promise = open_promise(acknowledgement.promise.note, log_vkey)
        assert promise.origin == checkpoint.origin
        proof = ledger.inclusion(acknowledgement.sequence, checkpoint.size)
        assert proof.leaf_hash == acknowledgement.leaf_hash
        assert root_from_inclusion(proof.leaf_hash, proof.sequence, proof.size, proof.path) == checkpoint.root


def test_a_batch_has_one_promise_and_a_path_for_each_entry(acknowledgements, log_vkey):
    notes = {}
    for acknowledgement in acknowledgements:
        notes.setdefault(acknowledgement.promise.note, []).append(acknowledgement)
    for note, members in notes.items():
        promise = open_promise(note, log_vkey)
        assert len(members) <= promise.count
        assert all(0 <= member.sequence - promise.first_sequence < promise.count for member in members)
    assert len(notes) < len(acknowledgements)


def test_proves_inclusion_in_the_newest_checkpoint(ledger, acknowledgements, log_vkey):
    for acknowledgement in (acknowledgements[0], acknowledgements[-1]):
        proof = ledger.inclusion(acknowledgement.sequence)
        checkpoint = open_checkpoint(proof.checkpoint, log_vkey)
        assert checkpoint.size == proof.size > acknowledgement.sequence
        assert proof.leaf == acknowledgement.leaf
        assert root_from_inclusion(leaf_hash(proof.leaf), proof.sequence, proof.size, proof.path) == checkpoint.root


def test_waits_for_the_checkpoint_that_covers_a_new_entry(ledger, funded, log_vkey):
    acknowledgement = ledger.submit(funded(10_000), transfer=ledger.transfer(Signer().key, 4_000))
    proof = ledger.inclusion(acknowledgement.sequence)
    checkpoint = open_checkpoint(proof.checkpoint, log_vkey)
    path = list(proof.path)
    assert root_from_inclusion(acknowledgement.leaf_hash, acknowledgement.sequence, proof.size, path) == checkpoint.root
    if path:
        path[0] = bytes(32)
        assert (
            root_from_inclusion(acknowledgement.leaf_hash, acknowledgement.sequence, proof.size, path)
            != checkpoint.root
        )


def test_the_tlog_proof_is_the_same_proof_as_text(ledger, acknowledgements, log_vkey):
    proof = ledger.inclusion(acknowledgements[7].sequence)
    text = open_tlog_proof(proof.tlog_proof)
    assert (text.index, text.path, text.checkpoint) == (proof.sequence, list(proof.path), proof.checkpoint)
    checkpoint = open_checkpoint(text.checkpoint, log_vkey)
    leaf = acknowledgements[7].leaf_hash
    assert root_from_inclusion(leaf, text.index, checkpoint.size, text.path) == checkpoint.root


def test_proves_checkpoints_consistent(ledger, funded, log_vkey):
    payer, seen = funded(1_000_000), [checkpoint_of(ledger, log_vkey)]
    for _ in range(3):
        acknowledgement = ledger.submit(payer, transfer=ledger.transfer(Signer().key, 4_000))
        seen.append(checkpoint_of(ledger, log_vkey, acknowledgement.sequence + 1))
    for old, new in zip(seen, seen[1:]):
        assert old.size < new.size
        proof = ledger.consistency(old.size, new.size)
        check_consistency(old.size, old.root, new.size, new.root, proof.path)
        with pytest.raises(ValueError):
            check_consistency(old.size, old.root, new.size, old.root, proof.path)
    newest = ledger.consistency(seen[0].size)
    checkpoint = open_checkpoint(newest.checkpoint, log_vkey)
    check_consistency(seen[0].size, seen[0].root, checkpoint.size, checkpoint.root, newest.path)


def test_waits_for_a_checkpoint_no_longer_than_the_call(ledger, log_vkey):
    size = checkpoint_of(ledger, log_vkey).size
    with pytest.raises(grpc.RpcError) as refused:
        ledger.log.GetCheckpoint(log_pb2.GetCheckpointRequest(minimum_size=size + 1_000), timeout=0.3)
    assert refused.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)


def test_a_checkpoint_that_was_altered_does_not_open(ledger, log_vkey):
    note = ledger.checkpoint_note()
    checkpoint = open_checkpoint(note, log_vkey)
    assert open_note(note, log_vkey) == checkpoint_text(*dataclasses.astuple(checkpoint))
    with pytest.raises(InvalidSignature):
        open_checkpoint(note.replace(f"\n{checkpoint.size}\n", f"\n{checkpoint.size + 1}\n"), log_vkey)


def test_tiles_over_http_lead_to_the_signed_root(server, ledger, acknowledgements, log_vkey):
    ledger.checkpoint_note(acknowledgements[-1].sequence + 1)
    checkpoint = open_checkpoint(http_get(server.http + "/checkpoint").decode(), log_vkey)
    size = checkpoint.size
    assert size > TILE_WIDTH

    hashes, leaves = [], []
    for index in range((size + TILE_WIDTH - 1) // TILE_WIDTH):
        tile = http_get(server.http + tile_path(0, index, size))
        hashes += [tile[i : i + 32] for i in range(0, len(tile), 32)]
        leaves += entries_of_bundle(http_get(server.http + tile_path("entries", index, size)))
    assert len(hashes) == len(leaves) == size
    assert [leaf_hash(leaf) for leaf in leaves] == hashes
    assert root(hashes) == checkpoint.root

    upper = http_get(server.http + tile_path(1, 0, size))
    full_tiles = [hashes[i : i + TILE_WIDTH] for i in range(0, size - TILE_WIDTH + 1, TILE_WIDTH)]
    assert upper == b"".join(root(tile) for tile in full_tiles)
    for acknowledgement in acknowledgements:
        assert leaves[acknowledgement.sequence] == acknowledgement.leaf


def test_tiles_are_open_to_browsers_and_never_change(server, ledger, acknowledgements):
    ledger.checkpoint_note(acknowledgements[-1].sequence + 1)
    with urllib.request.urlopen(server.http + "/tile/0/000", timeout=DEADLINE_S) as tile:
        assert tile.headers["Access-Control-Allow-Origin"] == "*"
        assert tile.headers["Content-Type"] == "application/octet-stream"
        assert "immutable" in tile.headers["Cache-Control"]
    with urllib.request.urlopen(server.http + "/checkpoint", timeout=DEADLINE_S) as checkpoint:
        assert checkpoint.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert "immutable" not in checkpoint.headers.get("Cache-Control", "")
