"""What an operator can try who owns the database, the files and every key: caught, and named, by what clients and
auditors run. Each cheat has a copy of one ledger to itself, which holds before it is touched."""

import contextlib
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

import formats
import merkle
from client import HOUR_US, now_us
from devchain import Devchain
from forger import Entry, Journal, SnapshotFiles, credit_of, history_without, put_anchor
from formats import SEAL, Signer
from harness import TRX, Database, Keys, Ledger, Refused, open_channel, receipt, refusals, transfer, windlass
from processes import wait_until, write_secret
from tron_chain import base58check
from windlass.v1 import command_pb2, log_pb2

NAMES = ("alice", "bob", "carol", "mallory")
SUN = 10**8
BLOCK_ID = bytes(range(32))
FLIPS = 60


class Story:
    """A ledger with deposits, payments, a channel, seals and anchors; an auditor's statement on all of it; and a backup
    from its middle. Its server is stopped, so that its databases can be copied."""

    def __init__(self, postgres, directory, chain, people):
        self.postgres, self.directory, self.chain, self.people = postgres, directory, chain, people
        self.keys = people.keys
        self.vkey = formats.verifier_key_of_seed(self.keys.origin, self.keys.log_seed)
        self.options = {
            "genesis__anchor_address": base58check(self.keys.anchor.address),
            "genesis__custody_address": base58check(people.custody.address),
        }
        self.copies = 0

        with self.running_ledger() as first:
            self._begin(first)
        self.backup = first.database
        self.backup_size = len(Journal(self.backup))

        with self.running_ledger(self.backup, log_of=first) as ledger:
            self._go_on(ledger)
        self.whole, self.log_directory = ledger.database, ledger.server.log_directory

    @contextlib.contextmanager
    def running_ledger(self, template=None, log_of=None):
        """New, or a copy; with another's files, or none. Stopped at the end; after a failure, killed."""
        self.copies += 1
        directory = self.directory / f"copy{self.copies}"
        directory.mkdir()
        database = Database(self.postgres, template) if template else None
        ledger = Ledger(self.postgres, directory, self.keys, database, **self.options)
        if log_of:
            shutil.copytree(log_of.server.log_directory, ledger.server.log_directory)
        try:
            yield ledger.start()
            assert ledger.server.terminate() == 0
        finally:
            ledger.kill_all()

    def _begin(self, ledger):
        people = self.people
        with ledger.client() as client:
            for name in NAMES:
                self.deposit(client, getattr(people, name))
            self.first = client.do(people.alice, **transfer(people.bob.key, 100_000, TRX)).sequence
            client.do(people.bob, **transfer(people.carol.key, 40_000, TRX))
            self.channel = client.do(people.alice, **open_channel(people.carol.key, 200_000, TRX)).sequence
            client.do(people.alice, **receipt(self.channel, 1_000))
            self.first_anchor = self.anchor(ledger, client, 1)

    def _go_on(self, ledger):
        people = self.people
        key_file = write_secret(self.directory / "alice.key", people.alice.secret_hex())
        amount = ("50000", "--units", "--asset", "TRX")
        code, words = windlass(ledger.server, "pay", people.bob.key.hex(), *amount, "--json", "--key", key_file)
        assert code == 0, words
        self.promised = self.directory / "promised.json"
        self.promised.write_text(words)
        self.promised_at = int(json.loads(words)["sequence"])
        with ledger.client() as client:
            client.do(people.carol, **transfer(people.bob.key, 7, TRX))
            client.do(people.bob, **transfer(people.alice.key, 5, TRX))
            client.do(people.mallory, **transfer(people.carol.key, 1_000, TRX))
            client.do(people.alice, **receipt(self.channel, 2_000))
            self.second_anchor = self.anchor(ledger, client, 2)
            self.numbers = {name: client.account(getattr(people, name).key).number for name in NAMES}
        key_file = self.directory / "auditor.key"
        code, words = windlass(ledger.server, "key", "new-auditor", "auditor.test", "--key", key_file, "--json")
        assert code == 0, words
        self.auditor = json.loads(words)["vkey"]
        self.checks = ("--vkey", self.vkey, "--auditor", self.auditor, "--tron", self.chain.address)
        holds(windlass(ledger.server, "audit", "--full", "--tron", self.chain.address, "--cosign", key_file))
        self.statement = self.directory / "bob.statement"
        holds(windlass(ledger.server, "statement", people.bob.key.hex(), *self.checks, "--out", self.statement))
        with ledger.client() as client:
            (self.audit,) = client.log.ListAudits(log_pb2.ListAuditsRequest()).audits

    def deposit(self, client, owner, amount=SUN):
        people = self.people
        txid = self.chain.transfer(people.depositor, people.custody.address, amount, owner.key.hex().encode())
        place = self.chain.place_of(txid)
        credit = credit_of(txid, place, TRX, amount, owner.key, people.depositor.address)
        return client.execute(self.keys.gateway, credit=credit)

    def anchor(self, ledger, client, number, sender=None, root=None):
        """Seals, and anchors the checkpoint; as another sender, or with another root than the log's."""
        client.execute(self.keys.anchor, request_seal=command_pb2.RequestSeal(block_id=BLOCK_ID))
        note = client.checkpoint_note(client.size())
        checkpoint = formats.open_checkpoint(note, client.vkey)
        memo = formats.anchor_memo(checkpoint.size, root or checkpoint.root)
        txid = self.chain.transfer(sender or self.keys.anchor, self.keys.operator.address, 1, memo)
        block, _ = self.chain.place_of(txid)
        put_anchor(ledger.database, number, checkpoint.size, root or checkpoint.root, note, txid, block)
        return SimpleNamespace(size=checkpoint.size, root=checkpoint.root, note=note, txid=txid, block=block)


@pytest.fixture(scope="module")
def people():
    members = {name: Signer() for name in (*NAMES, "custody", "depositor")}
    return SimpleNamespace(keys=Keys(), **members)


@pytest.fixture(scope="module")
def chain(tmp_path_factory, people):
    chain = Devchain(
        tmp_path_factory.mktemp("chain"),
        people.keys.anchor,
        people.keys.operator,
        people.depositor,
        people.custody,
        people.mallory,
    )
    yield chain
    assert chain.stop() == 0


@pytest.fixture(scope="module")
def story(postgres, tmp_path_factory, chain, people):
    return Story(postgres, tmp_path_factory.mktemp("story"), chain, people)


class Copy:
    """A copy of the whole ledger, or of its backup, for one cheat. Its server runs from start() on."""

    def __init__(self, story, template):
        self._story = story
        self.database = Database(story.postgres, template)
        story.copies += 1
        directory = story.directory / f"cheat{story.copies}"
        directory.mkdir()
        self.ledger = Ledger(story.postgres, directory, story.keys, self.database, **story.options)
        self.server = self.ledger.server
        self.log_directory = self.server.log_directory

    def start(self, keep_files=False):
        """On the files that the ledger had, or without any: then it makes them anew, and signs."""
        if keep_files:
            shutil.copytree(self._story.log_directory, self.log_directory)
        self.ledger.start()
        return self

    def stop(self):
        assert self.server.terminate() == 0

    def client(self):
        return self.ledger.client()

    def seal(self):
        """The sequence of a seal that names a snapshot of all before it: the first may come before there is one."""

        def sealed():
            with self.client() as client:
                size = client.size()
                request = command_pb2.RequestSeal(block_id=BLOCK_ID)
                sequence = client.execute(self._story.keys.anchor, request_seal=request).sequence
                seal = command_pb2.Command.FromString(formats.decode_envelope(client.entry(sequence).envelope)[0]).seal
                client.checkpoint(sequence + 1)
            return sequence if seal.snapshot_sequence == size - 1 else None

        return wait_until(sealed, "a seal that names a snapshot")

    def replay(self, commands):
        """As if they had just been sent, in this order."""
        with self.client() as client:
            answers = client.send_all(list(commands))
            assert not any(isinstance(answer, Refused) for answer in answers), answers
            client.checkpoint(client.size())

    def forget_anchors(self, above=0):
        self.database.sql(f"DELETE FROM anchors WHERE id > {above}")

    def show_audit(self):
        """The auditor's statement, as if it were on this log."""
        audit = self._story.audit
        statement = formats.open_note(audit.note, audit.vkey).split("\n")
        self.database.sql(
            f"INSERT INTO audits VALUES ('{audit.vkey}', {statement[2]}, {statement[4]}, '{audit.note}', 0)"
        )

    def run(self, *words, **more):
        return windlass(self.server, *words, "--vkey", self._story.vkey, **more)

    def audit(self, *options, **more):
        return self.run("audit", *options, **more)

    def full_audit(self):
        return self.audit("--full", "--tron", self._story.chain.address)

    def history(self, name, *options, **more):
        key = getattr(self._story.people, name).key.hex()
        return self.run("history", key, "--verify", "--quiet", *options, **more)

    def audited_history(self, name):
        return self.history(name, "--auditor", self._story.auditor)


@pytest.fixture
def copy(story):
    """Of the whole ledger."""
    copy = Copy(story, story.whole)
    yield copy
    copy.ledger.kill_all()


@pytest.fixture
def backup(story):
    """Of the ledger as it was before the promise and all that came later."""
    copy = Copy(story, story.backup)
    yield copy
    copy.ledger.kill_all()


@pytest.fixture
def later_commands(story):
    """What was sent after the backup, but the seals."""
    return [entry.signed for entry in Journal(story.whole)[story.backup_size :] if entry.kind != SEAL]


def caught(outcome, *words):
    code, said = outcome
    assert code == 1, said
    for word in words:
        assert word in said, said


def holds(outcome, *words):
    code, said = outcome
    assert code == 0, said
    for word in words:
        assert word in said, said


REWRITTEN = ("is not the beginning of the log", "the history was rewritten")


def test_the_ledger_holds_before_anybody_cheats(story, copy):
    copy.start(keep_files=True)
    holds(copy.full_audit(), "2 were found on TRON", "each is a deposit on TRON", "2 balance snapshots")
    holds(copy.audited_history("bob"), "complete: ")
    for name in NAMES:
        holds(copy.history(name, "--tron", story.chain.address), "anchored: ", "complete: ")
    holds(copy.run("verify", story.promised), "holds: ")
    holds(copy.run("verify", story.statement, "--auditor", story.auditor), "holds: the history of")


def test_holds_when_the_files_are_made_anew(story, copy):
    copy.start()
    holds(copy.full_audit(), "2 were found on TRON")


# Entries, rewritten so that every hash and link holds, under a log that is signed anew


def test_an_edited_amount(story, copy):
    """In the postings alone: one more for the recipient."""
    journal = Journal(copy.database)
    bob = story.numbers["bob"]
    journal[story.promised_at].change(bob, available=1)
    journal.write()
    copy.forget_anchors()
    copy.start()
    holds(copy.audit())
    caught(copy.audit("--full"), f"entry {story.promised_at}: its postings are not what its command does")
    caught(copy.audited_history("bob"), *REWRITTEN)


def test_an_edited_amount_in_the_command_too(story, copy):
    journal = Journal(copy.database)
    entry = journal[story.promised_at]
    command = entry.command
    command.transfer.amount += 1
    entry.recommand(command)
    entry.change(story.numbers["alice"], available=-1)
    entry.change(story.numbers["bob"], available=1)
    journal.write()
    copy.forget_anchors()
    copy.start()
    caught(copy.audit("--full"), f"entry {story.promised_at}: the signature does not verify")


def test_an_edited_amount_under_an_anchor(story, copy):
    journal = Journal(copy.database)
    journal[story.first].change(story.numbers["bob"], available=1)
    journal.write()
    copy.start()
    caught(copy.audit(), f"the anchor of {story.first_anchor.size} entries", "is not the log's root of that size")
    caught(copy.history("bob"), *REWRITTEN)


def test_two_swapped_entries(story, backup, later_commands):
    """Of different payers: each other way round is a ledger as good as this one. Only who saw the first can tell."""
    swapped = [later_commands[1], later_commands[0], *later_commands[2:]]
    backup.start()
    backup.replay(swapped)
    backup.seal()
    backup.show_audit()
    holds(backup.full_audit())
    caught(backup.audited_history("bob"), *REWRITTEN)


def test_a_swap_under_an_anchor(story, backup, later_commands):
    backup.start()
    backup.replay([later_commands[1], later_commands[0], *later_commands[2:]])
    backup.seal()
    anchor = story.second_anchor
    put_anchor(backup.database, 2, anchor.size, anchor.root, anchor.note, anchor.txid, anchor.block)
    caught(backup.audit(), f"the anchor of {anchor.size} entries", "is not the log's root of that size")
    caught(backup.history("bob"), *REWRITTEN)


def test_the_newest_entries_dropped(story, copy):
    """The log is shorter than what the auditor has replayed, and than the anchor."""
    journal = Journal(copy.database)
    del journal[-2:]
    journal.write()
    copy.start()
    sizes = f"on a log of {story.second_anchor.size} entries, but the ledger has a log of {len(journal)}"
    gone = (sizes, "entries are gone")
    caught(copy.audit(), "an anchor is", *gone)
    caught(copy.history("bob"), "an anchor is", *gone)
    copy.forget_anchors()
    caught(copy.audited_history("bob"), "the auditor's statement is", *gone)


def test_one_dropped_in_the_middle(story, copy):
    """Renumbered and relinked; the balances after it still tell of it."""
    journal = Journal(copy.database)
    journal.leave_out(story.promised_at)
    journal.write()
    copy.forget_anchors()
    copy.start()
    holds(copy.audit())
    after = journal.next_of(story.numbers["bob"], story.promised_at - 1)
    caught(copy.audit("--full"), f"entry {after}: its postings are not what its command does")
    caught(copy.audited_history("bob"), "the auditor's statement is", "entries are gone")


def test_one_dropped_and_all_later_ones_booked_anew(story, backup, later_commands):
    """A ledger in which every rule holds, but in which the payment never was."""
    backup.start()
    backup.replay(later_commands[1:])
    backup.seal()
    with backup.client() as client:
        client.do(story.people.mallory, **transfer(story.people.carol.key, 1, TRX))
        client.checkpoint(client.size())
    backup.show_audit()
    holds(backup.full_audit())
    caught(backup.audited_history("bob"), *REWRITTEN)


def signed_by_mallory(people):
    return people.mallory


def signed_by_mallory_for_alice(people):
    return SimpleNamespace(key=people.alice.key, sign=people.mallory.sign)


@pytest.mark.parametrize(
    "signer, why", [(signed_by_mallory, ""), (signed_by_mallory_for_alice, "the signature does not verify")]
)
def test_one_inserted_without_the_payers_signature(story, copy, signer, why):
    """Mallory takes from alice."""
    journal = Journal(copy.database)
    inserted = append_payment(story, journal, signer(story.people))
    journal.write()
    copy.start()
    holds(copy.audit())
    caught(copy.audit("--full"), f"entry {inserted}: {why}")


def test_one_inserted_again(story, copy):
    """What alice signed once, booked twice."""
    journal = Journal(copy.database)
    original = journal[story.promised_at]
    inserted = append_payment(story, journal, None, original.envelope, 50_000)
    journal.write()
    copy.start()
    holds(copy.audit())
    caught(copy.audit("--full"), f"entry {inserted}: the ledger's rules refuse it")


def append_payment(story, journal, signer, envelope=None, amount=1_000):
    """From alice to mallory, or to bob where an envelope is given; its sequence."""
    sequence = len(journal)
    recipient = "bob" if envelope else "mallory"
    if not envelope:
        tag = formats.signing_tag(story.keys.origin, journal.leaf_hashes()[0])
        body = transfer(story.people.mallory.key, amount, TRX)
        expires = journal[-1].time_us + 10**9
        command = command_pb2.Command(nonce=journal[-1].time_us * 1000, expires_us=expires, **body).SerializeToString()
        envelope = formats.encode_envelope(command, [(signer.key, signer.sign(tag, command))])
    postings = []
    for number, change in sorted([(story.numbers["alice"], -amount), (story.numbers[recipient], amount)]):
        before = max(k for k in range(sequence) if journal[k].touches(number))
        posting = journal[before].posting(number)
        postings.append(replace(posting, available=posting.available + change, previous=before))
    journal.append(Entry(journal[-1].time_us + 1, formats.TRANSFER, bytes(32), envelope, postings))
    return sequence


# Rows


def test_a_changed_balance_row_shows_in_the_next_snapshot(story, copy):
    """What is one's is another's now: the totals are right, but no entry did it."""
    for name, sign in (("alice", "-"), ("mallory", "+")):
        copy.database.sql(
            f"UPDATE accounts SET amounts[2] = amounts[2] {sign} 1000 WHERE number = {story.numbers[name]}"
        )
    copy.start()
    copy.seal()
    holds(copy.audit())
    caught(copy.audit("--full"), "the balances and histories after it are not those of the snapshot that a seal names")
    copy.forget_anchors()  # by the newest seal, then
    caught(copy.history("mallory"), "its balances are not those after the account's newest entry in it")


def test_a_changed_balance_row_that_is_spent(story, copy):
    copy.database.sql(f"UPDATE accounts SET amounts[2] = amounts[2] + 1000 WHERE number = {story.numbers['mallory']}")
    copy.start()
    with copy.client() as client:
        paid = client.do(story.people.mallory, **transfer(story.people.carol.key, SUN, TRX)).sequence
        client.checkpoint(paid + 1)
    holds(copy.audit())
    caught(copy.audit("--full"), f"entry {paid}: ")


# Files


def test_a_changed_tile(story, copy):
    """A web server may give the files out as they are: whoever reads them sees that they are not the signed log's. The
    ledger's own answers do not come from the changed file."""
    copy.start(keep_files=True)
    with copy.client() as client:
        note = client.checkpoint(client.size())
    tile = copy.log_directory / "tile/0/000"
    data = bytearray(tile.read_bytes())
    assert merkle.root([bytes(data[k : k + 32]) for k in range(0, len(data), 32)]) == note.root
    data[story.first * 32] ^= 1
    tile.write_bytes(data)
    assert merkle.root([bytes(data[k : k + 32]) for k in range(0, len(data), 32)]) != note.root
    holds(copy.history("bob"))
    holds(copy.audit())


def test_a_changed_account_leaf(story, copy):
    copy.start(keep_files=True)
    leaves = copy.log_directory / "snapshots/leaves"
    data = bytearray(leaves.read_bytes())
    data[223 * story.numbers["bob"] + 100] ^= 1
    leaves.write_bytes(data)
    caught(copy.history("bob"), "the account's leaf is not under its root")


# A backup, and two servers


def test_a_backup_that_is_gone_on_from(story, backup):
    """The promised payment is lost, another stands in its place."""
    backup.start()
    with backup.client() as client:
        for _ in range(story.second_anchor.size - story.backup_size):
            client.do(story.people.mallory, **transfer(story.people.carol.key, 1, TRX))
        client.checkpoint(story.second_anchor.size)
    holds(backup.full_audit())
    caught(backup.audited_history("bob"), "no statement signed by")
    backup.show_audit()
    caught(backup.audited_history("mallory"), *REWRITTEN)


def test_two_auditors_shown_two_logs(story, copy, backup, later_commands):
    """Each holds for itself, and an auditor signs for each; what the one signed does not go with the other's log."""
    copy.start(keep_files=True)
    backup.start()
    backup.replay(later_commands[1:])
    with backup.client() as client:
        client.do(story.people.mallory, **transfer(story.people.carol.key, 1, TRX))
    backup.seal()
    key = story.directory / "second.key"
    code, words = backup.run("key", "new-auditor", "second.test", "--key", key, "--json")
    assert code == 0, words
    second = json.loads(words)["vkey"]
    holds(backup.audit("--full", "--cosign", key))
    holds(backup.history("bob", "--auditor", second))
    holds(copy.audited_history("bob"))
    backup.show_audit()
    caught(backup.audited_history("bob"), *REWRITTEN)

    evidence = story.directory / "split-view.txt"
    with copy.client() as client:
        note = client.checkpoint_note(story.second_anchor.size)
    peers = story.directory / "peer.checkpoint"
    peers.write_text(note)
    holds(copy.run("verify", peers))
    caught(backup.run("verify", peers, "--evidence", evidence), "split view: ", "signed two histories")
    holds(backup.run("verify", evidence), "a split view")


def test_a_log_that_does_not_continue_what_was_seen_of_it(story, copy, backup, tmp_path, monkeypatch):
    """Nobody but the client itself knows of the first."""
    copy.start(keep_files=True)
    monkeypatch.chdir(tmp_path)  # where evidence is written
    seen = story.directory / "seen"
    holds(copy.history("bob", checkpoints=seen))
    backup.start()
    for more in (0, 10):  # shorter than what was seen, and longer
        for _ in range(more):
            with backup.client() as client:
                client.do(story.people.mallory, **transfer(story.people.carol.key, 1, TRX))
        with backup.client() as client:
            client.checkpoint(client.size())
        for command in (backup.history, lambda *_, **given: backup.audit(**given)):
            holds(command("bob"))
            outcome = command("bob", checkpoints=seen)
            if more:
                caught(outcome, "split view: ", "signed two histories")
            else:
                caught(outcome, f"signed {story.second_anchor.size} entries, but the ledger shows only")


# Histories


def skip_a_payment(story, copy):
    """Bob's chain goes past the promised payment, and his balance is without it."""
    journal, bob = Journal(copy.database), story.numbers["bob"]
    skipped = story.promised_at
    after = journal.next_of(bob, skipped)
    journal[after].change(bob, previous=journal[skipped].posting(bob).previous)
    for sequence in range(after, len(journal)):
        if journal[sequence].touches(bob):
            journal[sequence].change(bob, available=-50_000)
    return journal, skipped, after


def test_a_payment_left_out_of_its_recipients_chain(story, copy):
    """The next honest snapshot hashes the payment: the chain shown is another."""
    journal, skipped, after = skip_a_payment(story, copy)
    journal.write()
    copy.forget_anchors()
    copy.start()
    copy.seal()
    holds(copy.audit())
    caught(copy.history("bob"), "knows another history", "an entry is left out, put in or changed")
    caught(copy.audit("--full"), f"entry {after}: ")


def test_a_payment_left_out_with_a_snapshot_to_match(story, copy):
    """A forged snapshot root in a forged seal: one history alone cannot tell, which is what auditors are for."""
    journal, skipped, after = skip_a_payment(story, copy)
    journal.write()
    copy.forget_anchors()
    copy.start()
    sealed = copy.seal()
    copy.stop()
    files = SnapshotFiles(copy.log_directory / "snapshots")
    bob = story.numbers["bob"]
    files.set_history(bob, history_without(Journal(copy.database)[: files.sequence + 1], bob, skipped))
    journal = Journal(copy.database)
    command = journal[sealed].command
    assert command.seal.snapshot_sequence == files.sequence
    command.seal.snapshot_root = files.write()
    journal[sealed].recommand(command)
    journal.write()
    for name in ("tile", "checkpoint"):
        path = copy.log_directory / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    copy.ledger.start()

    holds(copy.history("bob"), "complete: ")
    caught(copy.audit("--full"), f"entry {after}: ")
    caught(copy.audited_history("bob"), *REWRITTEN)


def test_a_payment_that_its_recipient_is_not_told_of(story, copy):
    """Without the recipient's posting no history and no snapshot has it: the rules alone do."""
    journal, bob = Journal(copy.database), story.numbers["bob"]
    skipped = story.promised_at
    before = journal[skipped].posting(bob)
    after = journal.next_of(bob, skipped)
    journal[skipped].postings.remove(before)
    journal[after].change(bob, previous=before.previous)
    for sequence in range(after, len(journal)):
        if journal[sequence].touches(bob):
            journal[sequence].change(bob, available=-50_000)
    journal.write()
    copy.forget_anchors()
    copy.start()
    copy.seal()
    holds(copy.history("bob"), "complete: ")
    caught(copy.audit("--full"), f"entry {skipped}: its postings are not what its command does")
    caught(copy.audited_history("bob"), *REWRITTEN)


def test_snapshots_that_are_kept_from_who_asks(story, copy):
    """Without an auditor that is said, not held against the ledger: a new account is in none either."""
    copy.start()
    holds(copy.history("bob"), "not proven complete: the ledger shows the account in no sealed balance snapshot")
    caught(copy.audited_history("bob"), "must have this account", "the ledger does not show it there")


# TRON


def test_an_anchor_from_another_address(story, copy, chain):
    copy.start(keep_files=True)
    with copy.client() as client:
        story.anchor(copy.ledger, client, 3, sender=story.people.mallory)
    words = "is not sent by the ledger's anchor address " + base58check(story.keys.anchor.address)
    caught(copy.audit("--tron", chain.address), words)
    with copy.client() as client:
        client.do(story.people.bob, **transfer(story.people.alice.key, 1, TRX))
    copy.database.sql("DELETE FROM anchors WHERE id < 3")
    caught(copy.history("bob", "--tron", chain.address), words)


def test_an_anchor_of_a_root_that_is_no_checkpoint(story, copy, chain):
    copy.start(keep_files=True)
    with copy.client() as client:
        anchor = story.anchor(copy.ledger, client, 3, root=merkle.sha256(b"another ledger"))
    caught(copy.audit(), f"the anchor of {anchor.size} entries", "is not the log's root of that size")
    copy.database.sql("DELETE FROM anchors WHERE id < 3")
    caught(copy.history("bob", "--tron", chain.address), *REWRITTEN)


def test_an_anchor_whose_transaction_says_something_else(story, copy, chain):
    copy.start(keep_files=True)
    with copy.client() as client:
        anchor = story.anchor(copy.ledger, client, 3, root=merkle.sha256(b"another ledger"))
    copy.database.sql("DELETE FROM anchors")
    put_anchor(copy.database, 3, anchor.size, anchor.root, anchor.note, anchor.txid, anchor.block)
    holds(copy.audit())
    words = "carries another root than the anchor says"
    caught(copy.audit("--tron", chain.address), words)
    caught(copy.history("bob", "--tron", chain.address), words)


def test_an_anchor_that_tron_does_not_have(story, copy, chain):
    copy.start(keep_files=True)
    anchor, txid = story.second_anchor, merkle.sha256(b"never sent")
    copy.database.sql("DELETE FROM anchors")
    put_anchor(copy.database, 3, anchor.size, anchor.root, anchor.note, txid, anchor.block)
    holds(copy.audit())
    caught(copy.audit("--tron", chain.address), f"the chain has no solidified transaction {txid.hex()}")
    caught(copy.history("bob", "--tron", chain.address), f"the chain has no solidified transaction {txid.hex()}")


CREDITS = {
    "none": (lambda credit, story: setattr(credit, "transaction_id", bytes(32)), "TRON has no such deposit"),
    "a future one": (lambda credit, story: setattr(credit, "block", credit.block + 10**6), "is not solidified"),
    "more": (
        lambda credit, story: setattr(credit, "amount", formats.chain_amount(2 * SUN)),
        "moved another amount than the credit says",
    ),
    "another's": (
        lambda credit, story: setattr(credit, "owner", story.people.mallory.key),
        "belongs to another key than the credit says",
    ),
    "another token": (lambda credit, story: setattr(credit, "asset", 1), "moved another token than the credit says"),
}


@pytest.mark.parametrize("change, words", CREDITS.values(), ids=CREDITS.keys())
def test_a_credit_that_tron_does_not_bear_out(story, copy, chain, change, words):
    copy.start(keep_files=True)
    people = story.people
    txid = chain.transfer(people.depositor, people.custody.address, SUN, people.alice.key.hex().encode())
    credit = credit_of(txid, chain.place_of(txid), TRX, SUN, people.alice.key, people.depositor.address)
    change(credit, story)
    with copy.client() as client:
        credited = client.execute(story.keys.gateway, credit=credit).sequence
        client.checkpoint(credited + 1)
    holds(copy.audit("--full"))
    caught(copy.full_audit(), f"entry {credited}: ", words)


def settle_a_withdrawal(story, copy, client, **changes):
    """Alice withdraws 5,000 of TRX; the entry that says they were paid, by a transaction that `changes` may belie."""
    alice = story.people.alice
    copy.database.sql(
        f"INSERT INTO gateway_terms VALUES ({TRX}, '', 1, 10, {SUN}, 'GATEWAY_OUT_OF_FUNDS', {now_us() + HOUR_US}, 1)"
    )
    wait_until(lambda: (client.terms(TRX) or (0, 0, 0, ""))[2] >= 5_000, "the gateway's terms")
    body = command_pb2.Withdraw(asset=TRX, amount=5_000, fee=10, destination=alice.address)
    withdrawal = client.do(alice, withdraw=body).sequence
    paid = {"sender": story.people.custody, "to": alice.address, "amount": 5_000, **changes}
    txid = story.chain.transfer(paid["sender"], paid["to"], paid["amount"], b"")
    settlement = command_pb2.SettleWithdrawal(
        withdrawal=withdrawal,
        outcome=command_pb2.SettleWithdrawal.OUTCOME_PAID,
        transaction_id=changes.get("transaction_id", txid),
        block=changes.get("block", story.chain.place_of(txid)[0]),
    )
    settled = client.execute(story.keys.gateway, settle_withdrawal=settlement).sequence
    client.checkpoint(settled + 1)
    return settled


def test_a_withdrawal_that_tron_has_paid(story, copy):
    copy.start(keep_files=True)
    with copy.client() as client:
        settle_a_withdrawal(story, copy, client)
    holds(copy.audit("--full"), "withdrawals paid: 1; none was looked up on TRON")
    holds(copy.full_audit(), "withdrawals paid: 1; each is a payment from custody on TRON, as it says")


PAYMENTS = {
    "none": (lambda people: {"transaction_id": bytes(32)}, "TRON has no such payment"),
    "a future one": (lambda people: {"block": 10**6}, "is not solidified"),
    "less": (lambda people: {"amount": 4_999}, "does not pay 5000"),
    "to another": (lambda people: {"to": people.bob.address}, "does not pay 5000"),
    "from another": (lambda people: {"sender": people.depositor}, "does not pay 5000"),
}


@pytest.mark.parametrize("changes, words", PAYMENTS.values(), ids=PAYMENTS.keys())
def test_a_payment_that_tron_does_not_bear_out(story, copy, changes, words):
    copy.start(keep_files=True)
    with copy.client() as client:
        settled = settle_a_withdrawal(story, copy, client, **changes(story.people))
    holds(copy.audit("--full"))
    caught(copy.full_audit(), f"entry {settled}: ", words)


def test_liabilities_that_leave_an_account_out(story, copy):
    """The seal is signed by nobody, so the owner may write any root into it; who replays, finds another."""
    copy.start(keep_files=True)
    copy.seal()
    copy.stop()
    journal = Journal(copy.database)
    seals = [entry for entry in journal if entry.kind == SEAL and entry.command.seal.liabilities_root]
    of = seals[-1].command.seal.liabilities_sequence
    for seal in seals:
        command = seal.command
        if command.seal.liabilities_sequence == of:
            command.seal.liabilities_root = merkle.sha256(b"without bob")
            seal.recommand(command)
    journal.write()
    copy.forget_anchors()
    shutil.rmtree(copy.log_directory)
    copy.ledger.start()
    caught(copy.audit("--full"), f"entry {of}: what is owed to all accounts after it does not make the liabilities")


def test_a_deposit_credited_twice(story, copy, chain):
    """The ledger's own rule refuses it, whoever signs."""
    copy.start(keep_files=True)
    journal = Journal(copy.database)
    credit = next(entry.command.credit for entry in journal if entry.kind == formats.CREDIT)
    with copy.client() as client, pytest.raises(Refused, match="CREDIT"), refusals():
        client.execute(story.keys.gateway, credit=credit)


# Promises and statements


def test_a_broken_promise(story, backup):
    """The promise and the proof of another leaf in its place contradict each other, for anybody with the log's key."""
    backup.start()
    with backup.client() as client:
        client.do(story.people.mallory, **transfer(story.people.carol.key, 1, TRX))
        client.checkpoint(story.promised_at + 1)
    holds(backup.run("verify", story.promised), f"promised entry {story.promised_at}")
    proof = story.directory / "broken.proof"
    code, words = backup.run("proof", story.promised_at)
    assert code == 0, words
    proof.write_text(words)
    holds(backup.run("verify", proof), f"entry {story.promised_at} ")
    broken = f"the promise of entry {story.promised_at} is broken"
    caught(backup.run("verify", story.promised, "--against", proof), broken, "has another leaf there")


def test_a_kept_promise(story, copy):
    copy.start(keep_files=True)
    proof = story.directory / "kept.proof"
    code, words = copy.run("proof", story.promised_at)
    assert code == 0, words
    proof.write_text(words)
    holds(copy.run("verify", story.promised, "--against", proof), "kept: ")


def statement_on(story, **changes):
    """The auditor's statement with other lines, signed by its key."""
    names = ("kind", "origin", "size", "root", "sequence", "snapshot")
    lines = dict(zip(names, formats.open_note(story.audit.note, story.audit.vkey).split("\n")))
    lines.update(changes)
    name, seed = "other.test", merkle.sha256(b"an auditor")
    text = "".join(f"{line}\n" for line in lines.values())
    return formats.sign_note(name, seed, text), formats.verifier_key_of_seed(name, seed)


ZEROS = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
FALSE_AUDITS = {
    "another log": {"origin": "other.windlass.test/log"},
    "another root": {"root": ZEROS},
    "another size": {"size": "3"},
    "more than there is": {"size": "1000000"},
    "another snapshot root": {"snapshot": ZEROS},
    "another snapshot": {"sequence": "1"},
    "another kind": {"kind": "windlass/audit/v2"},
}


def add_audit(copy, note, vkey):
    with copy.client() as client:
        return client.ask(client.log.AddAudit, log_pb2.AddAuditRequest(note=note, vkey=vkey))


def test_false_statements_of_auditors_are_refused(story, copy):
    copy.start(keep_files=True)
    for changes in FALSE_AUDITS.values():
        with pytest.raises(Refused) as refused:
            add_audit(copy, *statement_on(story, **changes))
        assert refused.value.reason == "BAD_AUDIT"
    note, vkey = statement_on(story)
    with pytest.raises(Refused) as refused:
        add_audit(copy, note, story.auditor)
    assert refused.value.reason == "BAD_AUDIT"
    add_audit(copy, note, vkey)
    holds(copy.history("bob", "--auditor", vkey))


def test_a_false_snapshot_root_is_seen_by_whoever_asks_for_the_auditor(story, copy):
    """Whatever an operator stores as the auditor's word."""
    note, vkey = statement_on(story, snapshot=ZEROS)
    copy.database.sql(f"INSERT INTO audits SELECT '{vkey}', size, snapshot_sequence, '{note}', 0 FROM audits")
    copy.start(keep_files=True)
    caught(copy.history("bob", "--auditor", vkey), "the balance snapshot shown is not the one that the auditor signed")


def test_a_statement_file_with_any_byte_changed(story, copy, rng):
    """With the TRON node at hand, so that the anchor in it is looked up too."""
    data = story.statement.read_bytes()
    file = story.directory / "changed.statement"
    holds(windlass(copy.server, "verify", story.statement, *story.checks))
    accepted = []
    for place in rng.sample(range(len(data)), FLIPS):
        changed = bytearray(data)
        changed[place] ^= 1 << rng.randrange(8)
        file.write_bytes(changed)
        code, said = windlass(copy.server, "verify", file, *story.checks)
        if code != 1:
            accepted.append((place, code, said))
    assert accepted == []
