"""Money out, end to end: windlassd, windlass-anchor, Postgres and a devchain as processes, killed, stopped and robbed."""

import signal
from collections import Counter

import pytest

from bank import DEADLINE_S, SUN, Bank, Gateway, State
from devchain import Devchain
from formats import Signer
from harness import TRX, Ledger, windlass
from processes import wait_until
from tron_chain import base58check
from windlass.v1 import command_pb2


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
