"""Readers that nobody here wrote verify the live log: golang.org/x/mod/sumdb, and Tessera's client and fsck."""

import contextlib
import http.server
import threading
import urllib.error
import urllib.request

import pytest

from client import DEADLINE_S
from formats import Signer, open_checkpoint
from gotools import run_go
from merkle import TILE_WIDTH, tile_path

BATCH = 300
FULL_TILES = 4


@pytest.fixture(scope="module")
def grown(ledger, funded, log_vkey, directory):
    """The log past several full tiles, ending within one; a file with an older checkpoint that ends within another."""
    older = directory / "older-checkpoint"
    payer = funded(100_000_000)
    size = 0
    while size <= FULL_TILES * TILE_WIDTH or size % TILE_WIDTH == 0:
        transfers = [ledger.command(transfer=ledger.transfer(Signer().key, 1_000)) for _ in range(BATCH)]
        [results] = ledger.submit_stream([ledger.signed(command, payer) for command in transfers])
        if not size:
            older.write_text(ledger.checkpoint_note(results[-1].accepted.sequence + 1))
        size = results[-1].accepted.sequence + 1
    checkpoint = open_checkpoint(ledger.checkpoint_note(size), log_vkey)
    assert open_checkpoint(older.read_text(), log_vkey).size % TILE_WIDTH != 0
    return checkpoint, older


def test_x_mod_reads_every_record_and_an_older_tree(server, grown, log_vkey, go_programs):
    checkpoint, older = grown
    code, out, err = run_go(go_programs / "readlog", url=server.http, vkey=log_vkey, older=older)
    assert code == 0, err
    size, checked = map(int, out.split())
    assert size >= checkpoint.size and checked == size


def test_tessera_finds_the_log_whole(server, grown, log_vkey, go_programs):
    checkpoint, older = grown
    code, out, err = run_go(
        go_programs / "fscklog", url=server.http, vkey=log_vkey, older=older, index=checkpoint.size - 1
    )
    assert code == 0, err
    assert int(out) >= checkpoint.size


@contextlib.contextmanager
def altered(url, alter):
    """The URL of a proxy of `url` in which alter(path, body) -> body stands for the log."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                with urllib.request.urlopen(url + self.path, timeout=DEADLINE_S) as answer:
                    status, body = answer.status, alter(self.path, answer.read())
            except urllib.error.HTTPError as error:
                status, body = error.code, error.read()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_port}"
        proxy.shutdown()
        thread.join()


def flipped(body, place):
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


def test_an_honest_proxy_changes_nothing(server, grown, log_vkey, go_programs):
    with altered(server.http, lambda path, body: body) as url:
        assert run_go(go_programs / "fscklog", url=url, vkey=log_vkey)[0] == 0


@pytest.mark.parametrize("level", [0, 1, "entries"])
@pytest.mark.parametrize("kind", ["first", "partial"])
def test_one_changed_byte_is_found(server, grown, log_vkey, go_programs, level, kind):
    size = grown[0].size
    last = size // TILE_WIDTH if level != 1 else 0
    index = 0 if kind == "first" else last
    changed = []

    def alter(path, body):
        if path.startswith(tile_path(level, index, (index + 1) * TILE_WIDTH ** (2 if level == 1 else 1))):
            changed.append(path)
            return flipped(body, len(body) // 2)
        return body

    with altered(server.http, alter) as url:
        for program in ("fscklog", "readlog"):
            changed.clear()
            code, _, err = run_go(go_programs / program, url=url, vkey=log_vkey)
            assert changed and code != 0, f"{program} saw nothing of the change in {changed}: {err}"


def test_another_checkpoint_is_refused(server, grown, log_vkey, go_programs):
    def alter(path, body):
        return flipped(body, body.index(b"\n") + 1) if path == "/checkpoint" else body

    with altered(server.http, alter) as url:
        assert run_go(go_programs / "fscklog", url=url, vkey=log_vkey)[0] != 0
        assert run_go(go_programs / "readlog", url=url, vkey=log_vkey)[0] != 0


def answer(url, method="GET"):
    """-> (status, headers, body)"""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=DEADLINE_S) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_serves_the_partial_tiles_of_every_published_checkpoint(server, grown, log_vkey):
    checkpoint, older = grown
    for size in (open_checkpoint(older.read_text(), log_vkey).size, checkpoint.size):
        for level in (0, 1, "entries"):
            nodes = size // TILE_WIDTH if level == 1 else size
            path = tile_path(level, nodes // TILE_WIDTH, size)
            status, headers, body = answer(server.http + path)
            assert status == 200 and f".p/{nodes % TILE_WIDTH}" in path
            assert headers["Content-Type"] == "application/octet-stream"
            assert headers["Access-Control-Allow-Origin"] == "*"
            assert "immutable" in headers["Cache-Control"]
            if level != "entries":
                assert len(body) == nodes % TILE_WIDTH * 32


def test_head_is_get_without_a_body(server, grown):
    for path in ("/checkpoint", "/tile/0/000", "/tile/entries/000", "/tile/0/00"):
        get, head = answer(server.http + path), answer(server.http + path, "HEAD")
        assert get[0] == head[0] and head[2] == b""
        for name in ("Content-Type", "Cache-Control", "Content-Length", "Access-Control-Allow-Origin"):
            assert get[1][name] == head[1][name], (path, name)


@pytest.mark.parametrize(
    "path",
    ["/tile/0/0", "/tile/0/000.p/0", "/tile/0/000.p/256", "/tile/0/000.p/01", "/tile/00/000", "/tile/0/x000/000",
     "/tile/64/000", "/tile/0/%30%30%30", "/tile/data/000", "/tile/8/0/000", "/tile/entries/0/000", "/tile/0/000/"],
)  # fmt: skip
def test_no_other_spelling_of_a_tile_is_served(server, grown, path):
    assert answer(server.http + path)[0] == 404


def test_a_tile_that_may_come_is_not_remembered_as_missing(server, grown):
    status, headers, _ = answer(server.http + "/tile/0/x001/000")
    assert status == 404 and headers["Cache-Control"] == "no-store"


def test_anything_but_reading_is_refused(server):
    assert answer(server.http + "/checkpoint", "POST")[0] == 405
    status, headers, _ = answer(server.http + "/tile/0/000", "OPTIONS")
    assert status == 204 and headers["Access-Control-Allow-Origin"] == "*"
