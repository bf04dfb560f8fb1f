"""The server killed, and Postgres stopped, at random instants under load: nothing acknowledged is lost, nothing happens
twice, and the balances are those that a replay gives."""

import os
import threading

import pytest

from follower import Follower
from harness import BTT, audit, wait_until
from load import Running, make_workers

SOAK = bool(os.environ.get("WINDLASS_SOAK"))
KILLS = int(os.environ.get("WINDLASS_KILLS", 400 if SOAK else 40))
POSTGRES_STOPS = int(os.environ.get("WINDLASS_PG_STOPS", 40 if SOAK else 5))
WORKERS, ACCOUNTS_EACH = 4, 6
UNITS = 10**12  # each: no payment is ever refused for want of money
LONGEST_LOAD_S = 1.2
# Balances are then written several times in each load, and so a kill also meets their writing.
often_flushing = pytest.mark.server(sequencer__max_unflushed_entries="1000")
KILLS_PER_AUDIT = max(20, KILLS // 4)


class Check:
    """Everything that must hold whenever all that was sent is answered."""

    def __init__(self, ledger, model, workers):
        self._ledger, self._model, self._workers = ledger, model, workers
        self._replay = Follower()
        self._checked = {worker: 0 for worker in workers}

    def acknowledged_stand(self, client):
        """Right after a recovery, before anything is sent again: all that was ever acknowledged is there."""
        self._replay.read_on(client)
        for worker in self._workers:
            for command, sequence, leaf_hash in worker.acknowledged[self._checked[worker] :]:
                assert sequence < self._replay.tree.size, f"entry {sequence} was acknowledged and is lost"
                assert self._replay.leaf_hashes[sequence] == leaf_hash
                assert self._replay.sequence_of[command] == sequence
            self._checked[worker] = len(worker.acknowledged)

    def all_settled(self, client):
        """Once everything is answered: the log holds it, each once; all accounts of it agree."""
        assert all(worker.is_settled() for worker in self._workers)
        self.acknowledged_stand(client)
        answered = sum(len(worker.acknowledged) for worker in self._workers)
        covered = set().union(*(worker.covered for worker in self._workers))
        ours = len(self._replay.sequence_of.keys() - covered)
        assert ours == answered + self._entries_of_others(), "an entry that nobody was answered for"
        self._balances_agree(client)
        checkpoint = client.checkpoint(self._replay.tree.size)
        assert (checkpoint.size, checkpoint.root) == (self._replay.tree.size, self._replay.tree.root())

    def _entries_of_others(self):
        return 1 + WORKERS * ACCOUNTS_EACH  # genesis and the deposits

    def _balances_agree(self, client):
        for key in self._model.available:
            assert client.balance(key) == (self._model.available[key], self._model.locked[key], 0)
        for channel in list(self._model.channels.values())[-10:]:
            shown = client.payment_channel(channel.number)
            assert (shown.deposit, shown.claimed, shown.open) == (channel.deposit, channel.claimed, channel.is_open)
        totals = next(totals for totals in client.totals().totals if totals.asset == BTT)
        supply = WORKERS * ACCOUNTS_EACH * UNITS
        assert int.from_bytes(totals.credited, "big") == supply == totals.available + totals.locked
        self._ledger.wait_flushed()
        assert self._replay.differences_from(self._ledger.database) == []


def assert_audited(ledger):
    code, words = audit(ledger.server, "--full")
    assert code == 0, words


def acknowledged(workers):
    return sum(len(worker.acknowledged) for worker in workers)


def times_not_serving(ledger):
    return ledger.server.log_file.read_text(errors="replace").count('msg="not serving"')


def work_for_a_while(running, rng):
    """A random instant under load; earlier only where a worker was answered what cannot be."""
    failed, until = threading.Event(), rng.uniform(0.02, LONGEST_LOAD_S)
    failed.wait(until)
    if running.failed():
        running.finish()


@often_flushing
def test_keeps_what_it_acknowledged_when_killed(ledger, rng):
    with ledger.client() as client:
        model, workers = make_workers(ledger, client, rng, WORKERS, ACCOUNTS_EACH, UNITS)
    check = Check(ledger, model, workers)
    for kill in range(1, KILLS + 1):
        running = Running(workers, ledger.server.grpc)
        work_for_a_while(running, rng)
        ledger.server.kill()
        running.join()
        ledger.server.start().wait_ready()
        with ledger.client() as client:
            check.acknowledged_stand(client)
            Running(workers, ledger.server.grpc).finish()
            check.all_settled(client)
        if kill % KILLS_PER_AUDIT == 0 or kill == KILLS:
            assert_audited(ledger)
    print(f"{KILLS} kills, {acknowledged(workers)} entries acknowledged")


@often_flushing
def test_survives_postgres_being_stopped(ledger, rng):
    with ledger.client() as client:
        model, workers = make_workers(ledger, client, rng, WORKERS, ACCOUNTS_EACH, UNITS)
    check = Check(ledger, model, workers)
    for stop in range(1, POSTGRES_STOPS + 1):
        epoch = ledger.database.number("SELECT epoch FROM writer")
        before = acknowledged(workers)
        running = Running(workers, ledger.server.grpc)
        # Whoever is at work meets the stop: a server that had nothing to commit would have nothing to recover from.
        wait_until(lambda: acknowledged(workers) > before or running.failed(), "the load to begin")
        work_for_a_while(running, rng)
        ledger.postgres.stop_immediately()
        wait_until(lambda: ledger.server.http_status("/readyz") == 503, "the server to be unready")
        wait_until(lambda: times_not_serving(ledger) == stop, "a commit to fail")
        ledger.postgres.start()
        ledger.server.wait_ready()
        running.finish()
        assert ledger.database.number("SELECT epoch FROM writer") > epoch, ledger.server.last_words(40)
        with ledger.client() as client:
            check.acknowledged_stand(client)
            check.all_settled(client)
    assert_audited(ledger)
    print(f"{POSTGRES_STOPS} stops, {acknowledged(workers)} entries acknowledged")
