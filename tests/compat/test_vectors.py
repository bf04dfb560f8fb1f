"""The published vectors are what this folder's code makes, and its Merkle trees are those of the Go implementations."""

import json

import pytest
from cryptography.exceptions import InvalidSignature

import vectors
from client import command_pb2
from formats import (
    historical_messages,
    historical_signature_holds,
    open_checkpoint,
    open_promise,
    open_tlog_proof,
    signer_key,
    tron_address,
    verifier_key_of_seed,
)
from merkle import TILE_WIDTH, check_consistency, entries_of_bundle, leaf_hash, root, root_from_inclusion, tile_path
from processes import SOURCE_DIR
from tron_chain import base58check


def tlog(file, kind):
    cases = json.loads((SOURCE_DIR / "tests" / "vectors" / "tlog" / file).read_text())["vectors"]
    found = [case for case in cases if case["kind"] == kind]
    assert found
    return found


def test_the_published_formats_are_made_by_this_code():
    assert vectors.FILE.read_text() == vectors.text(), "run tests/compat/vectors.py"


def test_the_vectors_notes_open(log_vkey):
    notes = vectors.make()["notes"]
    checkpoint = open_checkpoint(notes["checkpoint"], notes["verifier_key"])
    promise = open_promise(notes["promise"]["note"], notes["verifier_key"])
    assert checkpoint.root == promise.root
    with pytest.raises(ValueError):
        open_promise(notes["promise"]["note"], log_vkey)


def test_historical_signatures_hold_for_their_messages_alone():
    for case in vectors.make()["historical_commands"]:
        command = command_pb2.Command.FromString(bytes.fromhex(case["command"]))
        named = [(key.hex(), message.hex()) for key, message in historical_messages(command, len(case["signers"]))]
        assert named == list(zip((signer["key"] for signer in case["signers"]), case["messages"]))
        for signer, message in zip(case["signers"], case["messages"]):
            key, signature = bytes.fromhex(signer["key"]), bytes.fromhex(signer["signature"])
            assert historical_signature_holds(key, bytes.fromhex(message), signature)
            assert not historical_signature_holds(key, b"another", signature)
            assert not holds_strictly(key, bytes.fromhex(message), signature + b"\0")


def holds_strictly(key, message, signature):
    try:
        return historical_signature_holds(key, message, signature)
    except ValueError:
        return False


def test_roots_are_those_of_other_implementations():
    leaves = [leaf_hash(f"leaf-{i}".encode()) for i in range(1_000)]
    for case in tlog("roots.json", "root"):
        if case["size"] <= len(leaves):
            assert root(leaves[: case["size"]]).hex() == case["root_hex"]


def holds(check, *arguments):
    try:
        check(*arguments)
        return True
    except (ValueError, InvalidSignature):
        return False


def hashes_of(case):
    return [bytes.fromhex(sibling) for sibling in case["hashes_hex"]]


def check_inclusion(case):
    found = root_from_inclusion(bytes.fromhex(case["leaf_hash_hex"]), case["index"], case["size"], hashes_of(case))
    if found.hex() != case["root_hex"]:
        raise ValueError("another root")


def check_consistency_case(case):
    old, new = bytes.fromhex(case["old_root_hex"]), bytes.fromhex(case["new_root_hex"])
    check_consistency(case["old_size"], old, case["new_size"], new, hashes_of(case))


@pytest.mark.parametrize("kind, check", [("inclusion", check_inclusion), ("consistency", check_consistency_case)])
def test_proofs_hold_or_not_as_other_implementations_say(kind, check):
    cases = tlog("proofs.json", kind)
    assert {case["valid"] for case in cases} == {True, False}
    for case in cases:
        assert holds(check, case) == case["valid"], case


def test_checkpoints_open_or_not_as_other_implementations_say():
    for case in tlog("notes.json", "checkpoint"):
        assert holds(open_checkpoint, case["checkpoint"], case["vkey"]) == case["valid"], case


def test_tlog_proofs_are_read_as_other_implementations_write_them():
    for case in tlog("notes.json", "tlog-proof"):
        if case["valid"]:
            proof = open_tlog_proof(case["proof"])
            assert (proof.index, proof.path) == (case["index"], hashes_of(case))
            assert open_checkpoint(proof.checkpoint, case["vkey"]).size == case["size"]


def test_keys_are_written_as_other_implementations_write_them():
    for case in tlog("notes.json", "key"):
        if case["type"] == 1:
            seed = bytes.fromhex(case["seed_hex"])
            assert signer_key(case["name"], seed) == case["skey"]
            assert verifier_key_of_seed(case["name"], seed) == case["vkey"]


def test_tiles_are_named_as_other_implementations_name_them():
    for case in tlog("tiles.json", "path"):
        size = (case["index"] * TILE_WIDTH + case["width"]) << (8 * case["level"])
        assert tile_path(case["level"], case["index"], size) == "/" + case["tile_path"]
        if case["level"] == 0:
            assert tile_path("entries", case["index"], size) == "/" + case["entries_path"]


def test_entry_bundles_are_read_as_other_implementations_read_them():
    for case in tlog("tiles.json", "bundle"):
        bundle = bytes.fromhex(case["bundle_hex"])
        assert holds(entries_of_bundle, bundle) == case["valid"], case
        if case["valid"]:
            assert [entry.hex() for entry in entries_of_bundle(bundle)] == case["entries_hex"]


def test_addresses_are_those_of_tron():
    cases = json.loads((SOURCE_DIR / "tests" / "vectors" / "tron" / "addresses.json").read_text())
    named = [case for case in cases["vectors"] if "compressed_hex" in case]
    assert named
    for case in named:
        assert base58check(tron_address(bytes.fromhex(case["compressed_hex"]))) == case["address_base58"]
