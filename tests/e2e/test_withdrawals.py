"""Money out, end to end: windlassd, windlass-anchor, Postgres and a devchain as processes, killed, stopped and robbed."""

import signal
import subprocess
from collections import Counter

import pytest

from devchain import Devchain
from formats import Signer
from harness import TRX, Ledger, Refused, refusals, windlass
from processes import BIN_DIR, free_address, http_get, wait_until, write_secret
from tron_chain import base58check, transfer_of
from windlass.v1 import command_pb2, query_pb2

SUN = 10**6
DEADLINE_S = 60
State = query_pb2.Withdrawal.State


class Gateway:
    """windlass-anchor as a gateway alone: for all its lives, and the process of this one."""

    def __init__(self, ledger, chain, custody, directory, **more):
        self._log, self.metrics = directory / "windlass-anchor.log", free_address()
        options = {
            "ledger.address": ledger.server.grpc,
            "database.url": ledger.postgres.url(ledger.database.name, "windlass_anchor"),
            "tron.full_node": chain.address,
            "tron.poll_interval_ms": 50,
            "gateway.key_file": write_secret(directory / "gateway.key", ledger.keys.gateway.secret_hex()),
            "gateway.custody": base58check(custody.address),
            "gateway.custody_key_file": write_secret(directory / "custody.key", custody.secret_hex()),
            "gateway.withdrawals": "TRX minimum=1000 fee=10",
            "gateway.start_block": 1,
            "gateway.single_node_ceilings": f"TRX {10**12}",
            "metrics.listen": self.metrics,
            **{name.replace("__", "."): value for name, value in more.items()},
        }
        self._command = [BIN_DIR / "windlass-anchor", *(f"--{name}={value}" for name, value in options.items())]
        self.start()

    def start(self):
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def difference(self):
        """What custody holds beyond what the ledger owes, in TRX' ledger units; None before it was looked at."""
        return self.metric('custody_difference{asset="TRX"}')

    def metric(self, name):
        """None before it is shown."""
        for line in http_get(f"http://{self.metrics}/metrics").decode().splitlines():
            if line.startswith(f"windlass_{name} "):
                return float(line.split()[-1])
        return None

    def log(self):
        return self._log.read_text(errors="replace")


@pytest.fixture
def bank(postgres, tmp_path):
    """A ledger, a chain and a gateway between them, whose account can bear fees."""
    custody, rich = Signer(), Signer()
    chain = Devchain(tmp_path, rich)
    ledger = Ledger(postgres, tmp_path, genesis__custody_address=base58check(custody.address)).start()
    gateway = Gateway(ledger, chain, custody, tmp_path)
    bank = Bank(ledger, chain, gateway, custody, rich)
    bank.deposit(ledger.keys.gateway, 1_000 * SUN)
    yield bank
    gateway.kill()
    ledger.kill_all()
    chain.stop()


class Bank:
    def __init__(self, ledger, chain, gateway, custody, rich):
        self.ledger, self.chain, self.gateway, self.custody, self.rich = ledger, chain, gateway, custody, rich

    def deposit(self, owner, sun):
        with self.ledger.client() as client:
            before = self.available(client, owner)
            self.chain.transfer(self.rich, self.custody.address, sun, owner.key.hex().encode())
            wait_until(lambda: self.available(client, owner) == before + sun, "the deposit's credit", DEADLINE_S)

    def available(self, client, owner):
        try:
            with refusals():
                return client.balance(owner.key, TRX)[0]
        except Refused as refused:
            assert refused.reason == "UNKNOWN_KEY"
            return 0

    def offered(self, units):
        """Waits until the server has heard that the gateway could pay so much."""
        with self.ledger.client() as client:
            wait_until(lambda: (client.terms(TRX) or (0, 0, 0, ""))[2] >= units, "the gateway's terms", DEADLINE_S)

    def states(self, owner):
        with self.ledger.client() as client:
            request = query_pb2.ListWithdrawalsRequest(key=owner.key, page_size=1000)
            return {row.id: row for row in client.query.ListWithdrawals(request, timeout=20).withdrawals}

    def paid_out(self):
        """(destination, sun) of every transfer that left custody, in solidified blocks."""
        left = Counter()
        for number in range(1, self.chain.solid_head().block_header.raw_data.number + 1):
            for member in self.chain.solid_block(number).transactions:
                try:
                    transfer = transfer_of(member.transaction)
                except (AssertionError, ValueError):
                    continue
                if transfer.owner_address == self.custody.address:
                    left[transfer.to_address, transfer.amount] += 1
        return left

    def wait_blocks(self, count):
        until = self.chain.solid_head().block_header.raw_data.number + count
        wait_until(lambda: self.chain.solid_head().block_header.raw_data.number >= until, "blocks", DEADLINE_S)

    def settled(self, owner):
        return wait_until(
            lambda: (rows := self.states(owner)) and all(row.state >= State.STATE_PAID for row in rows.values()) and rows,
            "all withdrawals to be settled",
            DEADLINE_S,
        )


def withdraw(client, owner, units, fee=10, to=None):
    body = command_pb2.Withdraw(asset=TRX, amount=units, fee=fee, destination=to or owner.address)
    return client.do(owner, withdraw=body).sequence


def test_each_state_is_seen_and_the_money_arrives(bank):
    owner = Signer()
    bank.deposit(owner, 50 * SUN)
    bank.offered(50 * SUN)
    with bank.ledger.client() as client:
        id = withdraw(client, owner, 3 * SUN)
    row = bank.settled(owner)[id]
    assert (row.state, row.amount, row.fee) == (State.STATE_PAID, 3 * SUN, 10)
    assert bank.chain.solid_info(row.transaction_id).blockNumber == row.block
    assert bank.chain.solid_account(owner.address).balance == 3 * SUN
    wait_until(lambda: bank.gateway.difference() == 0, "custody to be reconciled", DEADLINE_S)
    code, words = windlass(bank.ledger.server, "audit", "--full", "--tron", bank.chain.address)
    assert code == 0, words


def test_a_withdrawal_waits_while_the_chain_stands_still(bank):
    owner = Signer()
    bank.deposit(owner, 50 * SUN)
    bank.offered(50 * SUN)
    bank.chain.send_signal(signal.SIGSTOP)
    with bank.ledger.client() as client:
        id = withdraw(client, owner, 2 * SUN)
        assert client.balance(owner.key, TRX) == (48 * SUN - 10, 0, 2 * SUN + 10)
    assert bank.states(owner)[id].state == State.STATE_HELD
    bank.chain.send_signal(signal.SIGCONT)
    assert bank.settled(owner)[id].state == State.STATE_PAID
    assert bank.paid_out() == {(owner.address, 2 * SUN): 1}


def test_whatever_is_killed_each_is_paid_once(bank, rng):
    owner, wanted = Signer(), Counter()
    bank.deposit(owner, 500 * SUN)
    bank.offered(500 * SUN)
    for kill in range(6):
        with bank.ledger.client() as client:
            for _ in range(10):
                destination, sun = Signer().address, rng.randrange(SUN, 2 * SUN)
                withdraw(client, owner, sun, to=destination)
                wanted[destination, sun] += 1
        wait_until(lambda: len(bank.paid_out()) > kill * 5, "some payments", DEADLINE_S)
        bank.wait_blocks(rng.randrange(4))  # so that it dies anywhere
        bank.gateway.kill()
        if kill % 2:
            bank.ledger.server.kill()
            bank.ledger.server.start().wait_ready()
        bank.gateway.start()
        bank.offered(30 * SUN)
    rows = bank.settled(owner)
    assert {row.state for row in rows.values()} == {State.STATE_PAID}
    assert len(rows) == 60
    wait_until(lambda: bank.gateway.difference() == 0, "custody to be reconciled", DEADLINE_S)
    assert bank.paid_out() == wanted
    code, words = windlass(bank.ledger.server, "audit", "--full", "--tron", bank.chain.address)
    assert code == 0, words


def test_one_unit_stolen_from_custody_stops_withdrawals(bank):
    owner, thief = Signer(), bank.rich
    bank.deposit(owner, 50 * SUN)
    bank.offered(50 * SUN)
    wait_until(lambda: bank.gateway.difference() == 0, "custody to be reconciled", DEADLINE_S)
    bank.chain.transfer(bank.custody, thief.address, 1, b"")
    wait_until(lambda: (bank.gateway.difference() or 0) < 0, "the difference to show", DEADLINE_S)
    with bank.ledger.client() as client:
        wait_until(lambda: client.terms(TRX)[3] == "WITHDRAWALS_PAUSED", "withdrawals to stop", DEADLINE_S)
        code, words = windlass(bank.ledger.server, "withdrawal-terms")
        assert code == 0 and "WITHDRAWALS_PAUSED" in words
    assert not bank.paid_out() - Counter({(thief.address, 1): 1})
