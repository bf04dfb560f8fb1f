"""The historical BTFS clients, built from their own libraries, make the bytes that tests/vectors/btfs has from them."""

import json
import shutil
import subprocess

import pytest

from gotools import RUN_DEADLINE_S
from nodetools import run_node
from processes import SOURCE_DIR

VECTORS = SOURCE_DIR / "tests" / "vectors" / "btfs"


def go_selfcheck(go_programs, vectors):
    return subprocess.run(
        [go_programs / "btfs", "selfcheck", "-vectors", vectors],
        capture_output=True, text=True, timeout=RUN_DEADLINE_S, check=False,
    )  # fmt: skip


def node_selfcheck(vectors):
    return run_node("btfs_client.cjs", "selfcheck", vectors / "js.json")


def checked(run):
    """-> {what: how many vectors}"""
    assert run.returncode == 0, run.stdout + run.stderr
    return {answer["checked"]: answer["vectors"] for answer in map(json.loads, run.stdout.splitlines())}


def test_the_go_wallet_makes_and_verifies_the_same_bytes(go_programs):
    assert checked(go_selfcheck(go_programs, VECTORS)) == {
        "keys.json": 8,
        "signed.json": 38,  # all but the answers and the key pairs, which no wallet signs
        "client.json": 16,
        "messages.json": 3,  # those of a deposit and a withdrawal that are signed
    }


def test_the_javascript_client_makes_the_same_bytes():
    assert checked(node_selfcheck(VECTORS)) == {"/ledger.Channels/Transfer": 14, "/ledger.Channels/CreateAccount": 4}


def changed(vectors, name):
    """The vector with its last byte changed: of a key, of what was signed, of a request, of an answer."""
    field = next(
        field
        for field in ("ledger_address_hex", "signed_message_hex", "response_hex", "message_hex")
        if field in vectors[name]
    )
    text = vectors[name][field]
    vectors[name][field] = text[:-2] + f"{int(text[-2:], 16) ^ 1:02x}"


@pytest.fixture
def altered(tmp_path):
    """altered(file, name) -> a folder with all vectors, where that one is changed."""

    def make(file, name):
        folder = tmp_path / "btfs"
        shutil.copytree(VECTORS, folder)
        content = json.loads((folder / file).read_text())
        vectors = {vector.get("name") or vector["label"]: vector for vector in content["vectors"]}
        changed(vectors, name)
        (folder / file).write_text(json.dumps(content))
        return folder

    return make


@pytest.mark.parametrize(
    "file, name",
    [("keys.json", "scalar 1"), ("signed.json", "transfer-1"), ("client.json", "good"),
     ("messages.json", "deposit-request"), ("messages.json", "withdraw-request"),
     ("messages.json", "confirm-deposit-success")],
)  # fmt: skip
def test_the_go_wallets_check_finds_a_changed_byte(go_programs, altered, file, name):
    run = go_selfcheck(go_programs, altered(file, name))
    assert run.returncode == 1 and name in json.loads(run.stdout.splitlines()[-1])["error"]


def test_the_javascript_clients_check_finds_a_changed_byte(altered):
    run = node_selfcheck(altered("js.json", "transfer-zero-explicit"))
    assert run.returncode == 1 and "transfer-zero-explicit" in run.stderr
