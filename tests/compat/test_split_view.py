"""Whether the log shows everybody the same, as the command line tells: forged histories are signed with the log's own key."""

import base64
import os
import stat
import subprocess

import pytest

from conftest import LOG_SEED, ORIGIN
from formats import Signer, checkpoint_text, open_checkpoint, sha256, sign_note
from merkle import leaf_hash, root
from processes import BIN_DIR, free_address

DONE, REFUSED, USAGE, LATER = 0, 1, 2, 3
DEADLINE_S = 30


@pytest.fixture(scope="module")
def size(ledger, funded):
    """The log has at least so many entries."""
    payer = funded(10_000_000)
    commands = [ledger.command(transfer=ledger.transfer(Signer().key, 1_000)) for _ in range(300)]
    [results] = ledger.submit_stream([ledger.signed(command, payer) for command in commands])
    last = results[-1].accepted.sequence
    ledger.checkpoint_note(last + 1)
    return last + 1


@pytest.fixture
def windlass(server, log_vkey, tmp_path):
    """windlass(*words, code=...) -> stdout + stderr, in a folder of its own with a memory of its own."""

    def run(*words, code=DONE, address=server.grpc_address, memory=tmp_path / "memory"):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WINDLASS_")}
        environment |= {"WINDLASS_CHECKPOINTS": str(memory), "WINDLASS_LOG_VKEY": log_vkey}
        command = [BIN_DIR / "windlass", "--address", address, *map(str, words)]
        ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S)
        assert ran.returncode == code, f"{words}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout + ran.stderr

    return run


def forged(size, word=b"another history"):
    return sign_note(ORIGIN, LOG_SEED, checkpoint_text(ORIGIN, size, leaf_hash(word)))


def signed_at(ledger, size):
    """The log's true checkpoint of `size`, as it could have been signed when it was that long."""
    leaves = []
    while len(leaves) < size:
        leaves += [entry.leaf_hash for entry in ledger.entries(len(leaves), min(100, size - len(leaves)))]
    return sign_note(ORIGIN, LOG_SEED, checkpoint_text(ORIGIN, size, root(leaves)))


def remembered(tmp_path, log_vkey):
    return tmp_path / "memory" / sha256(log_vkey.encode()).hex()[:32]


def write(tmp_path, text, name="peer"):
    file = tmp_path / name
    file.write_text(text)
    return file


def test_a_peers_true_checkpoint_is_consistent_and_the_newest_is_remembered(
    windlass, ledger, size, tmp_path, log_vkey
):
    peer = write(tmp_path, signed_at(ledger, 200))
    out = windlass("verify", peer)
    assert "holds" in out and "of 200 entries" in out and "none was seen before" in out
    memory = remembered(tmp_path, log_vkey)
    assert open_checkpoint(memory.read_text(), log_vkey).size >= size
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    assert "newest seen before" in windlass("verify", peer)


@pytest.mark.parametrize("place", [1, 2, 64, 200, 255, 256, 257])
def test_a_peers_other_history_is_a_split_view_with_evidence_that_holds_offline(windlass, size, tmp_path, place):
    out = windlass("verify", write(tmp_path, forged(place)), "--evidence", "evidence", code=REFUSED)
    assert "split view" in out and f"{place} entries" in out
    nobody = free_address()
    assert "holds" in windlass("verify", "evidence", address=nobody)
    text = (tmp_path / "evidence").read_text()
    line = text.splitlines()[1]
    other = base64.b64encode(leaf_hash(b"x")).decode()
    windlass("verify", write(tmp_path, text.replace(line, other, 1)), address=nobody, code=REFUSED)


def test_one_size_with_two_roots_needs_no_ledger(windlass, ledger, size, tmp_path, log_vkey):
    windlass("proof", 0)
    known = open_checkpoint(remembered(tmp_path, log_vkey).read_text(), log_vkey).size
    nobody = free_address()
    out = windlass("verify", write(tmp_path, forged(known)), code=REFUSED, address=nobody)
    [evidence] = tmp_path.glob("split-view-*.txt")
    assert "split view" in out and evidence.name in out
    windlass("verify", evidence, address=nobody)


def test_a_ledger_that_does_not_continue_what_was_seen_is_found_by_what_proves(windlass, size, tmp_path, log_vkey):
    memory = remembered(tmp_path, log_vkey)
    memory.parent.mkdir()
    for place in (128, 201):
        memory.write_text(forged(place))
        assert "split view" in windlass("proof", 0, code=REFUSED)
        assert "split view" in windlass("audit", code=REFUSED)
        assert memory.read_text() == forged(place), "what contradicts the ledger is not forgotten"
    windlass("entry", 0)
    [*files] = tmp_path.glob("split-view-*.txt")
    assert len(files) == 2
    for file in files:
        windlass("verify", file, address=free_address())


def test_one_history_is_never_evidence(windlass, ledger, size, tmp_path):
    older, newer = signed_at(ledger, 200), signed_at(ledger, 250)
    proof = ledger.consistency(200, 250)
    lines = [open_checkpoint(older, ledger.vkey).root, *proof.path]
    head = "".join(base64.b64encode(line).decode() + "\n" for line in lines)
    text = f"windlass/split-view/v1\n{head}\n{older}\n{newer}"
    assert "no split view" in windlass("verify", write(tmp_path, text), code=REFUSED)


def test_anothers_checkpoint_is_refused(windlass, size, tmp_path):
    note = sign_note(ORIGIN, sha256(b"somebody"), checkpoint_text(ORIGIN, 5, leaf_hash(b"x")))
    assert "no checkpoint of the log" in windlass("verify", write(tmp_path, note), code=REFUSED)
    windlass("verify", write(tmp_path, "nothing of the kind\n"), code=REFUSED)


def test_a_ledger_that_lacks_signed_entries_is_told(windlass, size, tmp_path):
    out = windlass("verify", write(tmp_path, forged(1_000_000)), code=REFUSED)
    assert "signed 1000000 entries, but the ledger shows only" in out


def test_a_ledger_that_cannot_be_asked_proves_nothing(windlass, ledger, size, tmp_path):
    out = windlass("verify", write(tmp_path, signed_at(ledger, 200)), address=free_address(), code=LATER)
    assert "could not be asked" in out


def test_nothing_is_remembered_where_that_is_off_or_impossible(windlass, ledger, size, tmp_path):
    peer = write(tmp_path, signed_at(ledger, 200))
    for memory in ("off", peer / "below a file"):
        windlass("proof", 0, memory=memory)
        assert "none was seen before" in windlass("verify", peer, memory=memory)
    assert not (tmp_path / "off").exists() and not (tmp_path / "memory").exists()
