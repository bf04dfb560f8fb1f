"""What an operator, or a fault, may do behind the ledger's back: noticed, named, and where it can be, mended."""

import shutil

import pytest

import merkle
from client import DEADLINE_S
from follower import Follower
from formats import Signer
from harness import (
    BTT,
    Refused,
    SqlError,
    audit,
    close,
    open_channel,
    receipt,
    send_to,
    top_up,
    transfer,
    transfer_list,
)
from load import Running, make_workers
from processes import http_get, wait_until
from windlass.v1 import command_pb2


def some_of_everything(ledger):
    """Entries of nearly all kinds; the number of them."""
    with ledger.client() as client:
        payer, seeder = ledger.funded(client), ledger.funded(client)
        client.do(payer, **transfer(seeder.key, 5))
        client.do(payer, **transfer_list([(seeder.key, 7), (Signer().key, 5_000)]))
        channel = client.do(payer, **open_channel(seeder.key, 10_000)).sequence
        client.do(payer, **receipt(channel, 100))
        client.do(payer, **top_up(channel, 500))
        client.do(seeder, **close(channel, client.sign(payer, **receipt(channel, 300))))
        client.do(payer, **open_channel(seeder.key, 10_000))
        new = Signer()
        rotation = client.command(rotate_key=command_pb2.RotateKey(new_key=new.key))
        client.send(client.signed(rotation, payer, new))
        client.execute(ledger.keys.operator, set_roles=command_pb2.SetRoles(key=seeder.key, roles=8))
        client.execute(ledger.keys.anchor, request_seal=command_pb2.RequestSeal(block_id=bytes(range(32))))
        return client.checkpoint(client.size()).size


@pytest.fixture(scope="module")
def audited(shared_ledger):
    """A ledger that an audit finds in order; tests put back what they change."""
    shared_ledger.size = some_of_everything(shared_ledger)
    shared_ledger.wait_flushed()
    assert_in_order(shared_ledger)
    return shared_ledger


def assert_in_order(ledger):
    for options in ((), ("--full",)):
        code, words = audit(ledger.server, *options)
        assert code == 0, words


def names_entry(words, sequence):
    return f"entry {sequence}:" in words


def flip_of(rng, database, column, sequence):
    """SQL that changes one bit of it, and changes it back when it is run again."""
    bit = 1 << rng.randrange(8)
    if column in ("time_us", "kind"):
        changed = f"{column} = {column} # {bit}"
    elif column == "links":
        place = rng.randint(1, database.number(f"SELECT cardinality(links) FROM entries WHERE sequence = {sequence}"))
        changed = f"links[{place}] = links[{place}] # {bit}"
    else:
        place = rng.randrange(database.number(f"SELECT length({column}) FROM entries WHERE sequence = {sequence}"))
        changed = f"{column} = set_byte({column}, {place}, get_byte({column}, {place}) # {bit})"
    return f"UPDATE entries SET {changed} WHERE sequence = {sequence}"


def test_an_entry_that_poses_as_a_seal_is_named(audited):
    # A full audit asks for the seals before it reads the entries.
    pose = "UPDATE entries SET kind = {} WHERE sequence = 0"
    audited.database.sql(pose.format(1))
    try:
        code, words = audit(audited.server, "--full")
    finally:
        audited.database.sql(pose.format(0))
    assert code == 1 and names_entry(words, 0), f"{code}, {words}"


@pytest.mark.parametrize("column", ["envelope", "postings", "secret", "leaf_hash", "links", "time_us", "kind"])
@pytest.mark.parametrize("options", [(), ("--full",)], ids=["", "full"])
def test_an_audit_names_the_entry_of_which_a_byte_was_changed(audited, rng, column, options):
    database = audited.database
    # A seal has neither postings nor links.
    candidates = [
        int(row[0]) for row in database.sql("SELECT sequence FROM entries WHERE cardinality(links) > 0 ORDER BY 1")
    ]
    for sequence in (0, *rng.sample(candidates, 3)):
        change = flip_of(rng, database, column, sequence)
        database.sql(change)
        try:
            code, words = audit(audited.server, *options)
            assert code == 1 and names_entry(words, sequence), f"{change}: {code}, {words}"
        finally:
            database.sql(change)
    assert_in_order(audited)


def test_an_audit_names_the_entry_that_is_gone(audited):
    database, gone = audited.database, audited.size // 2
    database.sql(f"UPDATE entries SET sequence = -1 WHERE sequence = {gone}")
    try:
        code, words = audit(audited.server)
        assert code == 1 and names_entry(words, gone), words
    finally:
        database.sql(f"UPDATE entries SET sequence = {gone} WHERE sequence = -1")
    assert_in_order(audited)


def test_an_audit_notices_two_entries_that_changed_places(audited):
    database, one, other = audited.database, 3, 4
    swap = [
        f"UPDATE entries SET sequence = {new} WHERE sequence = {old}"
        for old, new in ((one, -1), (other, one), (-1, other))
    ]
    database.sql("; ".join(swap))
    try:
        code, words = audit(audited.server)
        assert code == 1 and names_entry(words, one), words
    finally:
        database.sql("; ".join(swap))
    assert_in_order(audited)


@pytest.mark.parametrize("part", ["available", "locked"])
def test_a_changed_balance_differs_from_the_replay(audited, part):
    database, place = audited.database, {"available": 2, "locked": 3}[part]
    with audited.client() as client:
        replayed = Follower().read_on(client)
    assert replayed.differences_from(database) == []
    account = database.number("SELECT max(account) FROM balances WHERE available > 0")
    add = f"UPDATE accounts SET amounts[{place}] = amounts[{place}] %s 1 WHERE number = {account}"
    database.sql(add % "+")
    try:
        (difference,) = replayed.differences_from(database)
        assert f"({account}, {BTT})" in difference
    finally:
        database.sql(add % "-")
    assert replayed.differences_from(database) == []


def test_the_servers_role_can_change_nothing_it_has_written(audited):
    database = audited.database
    for role in ("windlass_server", "windlass_anchor"):
        url = audited.postgres.url(database.name, role)
        for statement in (
            "UPDATE entries SET envelope = ''",
            "DELETE FROM entries",
            "TRUNCATE entries",
            "DROP TABLE entries",
            "ALTER TABLE entries DISABLE TRIGGER ALL",
            "DELETE FROM writer",
            "CREATE TABLE mine (n int)",
        ):
            with pytest.raises(SqlError, match="permission denied|must be owner"):
                database.sql(statement, url)
    with pytest.raises(SqlError, match="permission denied"):
        database.sql(
            "INSERT INTO entries SELECT * FROM entries", audited.postgres.url(database.name, "windlass_anchor")
        )
    with pytest.raises(SqlError, match="duplicate key"):
        database.sql("INSERT INTO entries SELECT * FROM entries", database.server_url)


# Starting on what was changed


def test_refuses_to_start_on_fewer_entries_than_it_has_signed(ledger):
    size = some_of_everything(ledger)
    assert ledger.server.terminate() == 0
    kept = size - 3
    ledger.database.sql(f"DELETE FROM entries WHERE sequence >= {kept}")
    assert ledger.server.start().wait_exit() == 1
    assert f"holds {kept} entries, but a checkpoint of {size} was signed" in ledger.server.last_words()


def test_refuses_to_start_on_other_entries_than_it_has_signed(ledger):
    some_of_everything(ledger)
    assert ledger.server.terminate() == 0
    ledger.database.sql("UPDATE entries SET time_us = time_us + 1 WHERE sequence = 3")
    shutil.rmtree(ledger.server.log_directory / "tile")
    assert ledger.server.start().wait_exit() == 1
    assert "entry 3:" in ledger.server.last_words()


def test_refuses_a_checkpoint_that_it_has_not_signed(ledger):
    some_of_everything(ledger)
    assert ledger.server.terminate() == 0
    kept = ledger.server.log_directory / "checkpoint"
    origin, size, *rest = kept.read_text().split("\n")
    kept.write_text("\n".join([origin, str(int(size) - 1), *rest]))
    assert ledger.server.start().wait_exit() == 1
    assert "is not a checkpoint signed by this log's key" in ledger.server.last_words()


# Tiles

TILE_ENTRIES = 600  # two full tiles and the third begun


def assert_tiles_are_right(ledger, client):
    """Every tile and bundle over HTTP, against the entries."""
    follower = Follower().read_on(client)
    size = client.checkpoint(follower.tree.size).size
    assert client.checkpoint().root == follower.tree.root() and size == follower.tree.size
    roots = [merkle.root(follower.leaf_hashes[i : i + 256]) for i in range(0, size - size % 256, 256)]
    for level, hashes in ((0, follower.leaf_hashes), (1, roots)):
        for index in range((len(hashes) + 255) // 256):
            tile = http_get(f"http://{ledger.server.http}{merkle.tile_path(level, index, size)}")
            assert tile == b"".join(hashes[index * 256 : (index + 1) * 256])
    for index in range((size + 255) // 256):
        bundle = http_get(f"http://{ledger.server.http}{merkle.tile_path('entries', index, size)}")
        leaves = [merkle.leaf_hash(leaf) for leaf in merkle.entries_of_bundle(bundle)]
        assert leaves == follower.leaf_hashes[index * 256 : (index + 1) * 256]


@pytest.fixture
def tiled(ledger):
    """A stopped ledger with several tiles."""
    with ledger.client() as client:
        payer, seeder = ledger.funded(client), ledger.funded(client)
        assert not any(isinstance(answer, Refused) for answer in pay_often(client, payer, seeder))
        assert_tiles_are_right(ledger, client)
    assert ledger.server.terminate() == 0
    return ledger


def pay_often(client, payer, seeder):
    return client.send_all([client.sign(payer, **transfer(seeder.key, 1)) for _ in range(TILE_ENTRIES)])


def flip_a_bit(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)


DAMAGES = {
    "all gone": lambda tiles: shutil.rmtree(tiles),
    "one gone": lambda tiles: (tiles / "0/001").unlink(),
    "bundle gone": lambda tiles: (tiles / "entries/000").unlink(),
    "upper gone": lambda tiles: shutil.rmtree(tiles / "1"),
    "changed": lambda tiles: flip_a_bit(tiles / "0/000"),
    "newest changed": lambda tiles: flip_a_bit(tiles / "0/002"),
    "bundle changed": lambda tiles: flip_a_bit(tiles / "entries/001"),
    "newest bundle changed": lambda tiles: flip_a_bit(tiles / "entries/002"),
    "cut short": lambda tiles: (tiles / "0/001").write_bytes((tiles / "0/001").read_bytes()[:100]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_mends_its_tiles_at_the_start(tiled, damage):
    damage(tiled.server.log_directory / "tile")
    tiled.server.start().wait_ready()
    with tiled.client() as client:
        tiled.funded(client)
        assert_tiles_are_right(tiled, client)


# Two servers


def test_a_second_server_stands_by_and_takes_over(ledger):
    first, second = ledger.server, ledger.new_server().start()
    wait_until(lambda: second.http_status("/healthz") == 200, "the second to listen")
    assert second.http_status("/readyz") == 503
    with ledger.client() as client:
        payer, seeder = ledger.funded(client), ledger.funded(client)
        acknowledged = [client.do(payer, **transfer(seeder.key, 1)) for _ in range(20)]
        signed = client.sign(payer, **transfer(seeder.key, 1))
        with pytest.raises(Refused) as refused:
            send_to(second, signed)
        assert refused.value.reason == "UNAVAILABLE" and refused.value.retry
    assert second.http_status("/readyz") == 503 and second.is_running()

    first.kill()
    second.wait_ready()
    ledger.server = second
    with ledger.client() as client:
        follower = Follower().read_on(client)
        assert all(follower.leaf_hashes[answer.sequence] == answer.leaf_hash for answer in acknowledged)
        assert client.send(signed).sequence == follower.tree.size
    first.start()
    wait_until(lambda: first.http_status("/healthz") == 200, "the first to listen again")
    assert first.http_status("/readyz") == 503 and second.http_status("/readyz") == 200


def test_a_fenced_writer_commits_nothing(ledger):
    """Another took over without this one's knowledge: it finds a higher epoch than its own in its own commit."""
    with ledger.client() as client:
        payer, seeder = ledger.funded(client), ledger.funded(client)
        client.do(payer, **transfer(seeder.key, 1))
        ledger.wait_flushed()
        size = client.size()
        ledger.database.sql("UPDATE writer SET epoch = epoch + 1")
        with pytest.raises(Refused) as refused:
            client.do(payer, **transfer(seeder.key, 1))
        assert refused.value.reason == "UNAVAILABLE"
    assert ledger.server.wait_exit() == 1
    assert "another writer took over" in ledger.server.last_words()
    assert ledger.database.number("SELECT count(*) FROM entries") == size


def test_a_writer_that_lost_its_session_stands_by_for_the_one_that_took_over(ledger):
    first, second = ledger.server, ledger.new_server().start()
    wait_until(lambda: second.http_status("/healthz") == 200, "the second to listen")
    holder = "SELECT l.pid FROM pg_locks l JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
    holder += " AND datname = current_database()"
    with ledger.client() as client:
        payer, seeder = ledger.funded(client), ledger.funded(client)
        first.pause()  # until the second has the lease
        ledger.database.sql(f"SELECT pg_terminate_backend(pid) FROM ({holder}) AS holders")
        second.wait_ready()
        first.resume()
        signed = client.sign(payer, **transfer(seeder.key, 1))
        with pytest.raises(Refused) as refused:
            client.send(signed)
        assert refused.value.reason == "UNAVAILABLE"
    wait_until(lambda: not first.is_running() or first.http_status("/readyz") == 503, "the first to stand back")
    ledger.server = second
    with ledger.client() as client:
        size = client.size()
        assert client.send(signed).sequence == size
        Follower().read_on(client)


def test_answers_all_that_it_accepted_before_it_stops(ledger, rng):
    with ledger.client() as client:
        _, workers = make_workers(ledger, client, rng, 4, 6, 10**12)
        size = client.size()
    running = Running(workers, ledger.server.grpc)
    wait_until(lambda: all(len(worker.acknowledged) > 50 for worker in workers), "load", DEADLINE_S)
    assert ledger.server.terminate() == 0
    running.join()
    assert (
        ledger.database.number("SELECT max(sequence) - flushed_through FROM entries, ledger GROUP BY flushed_through")
        == 0
    )

    ledger.server.start().wait_ready()
    with ledger.client() as client:
        follower = Follower().read_on(client)
    acknowledged = [answer for worker in workers for answer in worker.acknowledged]
    assert follower.tree.size == size + len(acknowledged)
    assert all(follower.leaf_hashes[sequence] == leaf_hash for _, sequence, leaf_hash in acknowledged)
    assert not follower.sequence_of.keys() & {command for worker in workers for command in worker.unanswered()}
