"""Money out, end to end: windlassd, windlass-anchor, Postgres and a devchain as processes, killed, stopped and robbed."""

import json
import os
import signal
import time
from collections import Counter

import pytest

from bank import ASSETS, BTT_ASSET, DEADLINE_S, FEE, SUN, TRX_ASSET, State, opened
from customers import Customers, plan
from formats import Signer, decode_envelope
from harness import MINIMUM, TRX, Refused, windlass
from processes import wait_until, write_secret
from windlass.v1 import command_pb2

SOAK = bool(os.environ.get("WINDLASS_SOAK"))
KILLS = int(os.environ.get("WINDLASS_KILLS", 60 if SOAK else 6))
CROSSINGS = int(os.environ.get("WINDLASS_CROSSINGS", 5_000 if SOAK else 60))  # each a deposit and a withdrawal
OWNERS = CROSSINGS // 50 + 5
LONGEST_LOAD_S = 1.2  # between two kills, once there has been some progress
PROGRESS_DEADLINE_S = 300


@pytest.fixture
def bank(postgres, tmp_path):
    with opened(postgres, tmp_path) as bank:
        yield bank


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
    bank.reconciled()
    assert int(audited(bank)["payments_on_chain"]) == 1


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


# Of BIP-32's first test vector.
DEPOSIT_SECRET, DEPOSIT_KEY = (
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
    "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
)
EVERYTHING = {
    "gateway.withdrawals": ",".join(f"{asset.symbol} minimum={MINIMUM} fee={FEE}" for asset in ASSETS),
    "gateway.sweeps": ",".join(f"{asset.symbol} minimum={10**6}" for asset in ASSETS),
    "gateway.max_fee_sun": 10 * SUN,
}


@pytest.fixture
def bank_at_work(postgres, tmp_path, rng):
    """One that takes and pays everything, and its customers, who are at it."""
    owners = [Signer() for _ in range(OWNERS)]
    secret = write_secret(tmp_path / "deposit.xprv", DEPOSIT_SECRET)
    ledger, gateway = {"deposits.extended_public_key": DEPOSIT_KEY}, {"gateway.deposit_key_file": secret, **EVERYTHING}
    with opened(postgres, tmp_path, owners, ledger, gateway) as bank:
        for asset in ASSETS:  # what stands on deposit addresses cannot be paid out
            bank.deposit(Signer(), 10**9, asset)
            bank.offered(10**9, asset)
        customers = Customers(bank, plan(rng, owners, CROSSINGS))
        yield bank, customers
        customers.stop()


def kill_now_and_then(bank, customers, rng):
    """Either process or both, at random instants, from the first crossing to the last one's payment."""

    def crossed():
        customers.crossed = bank.crossed()
        return customers.stopped.is_set() or customers.crossed >= 2 * CROSSINGS * kill // KILLS

    for kill in range(KILLS):
        wait_until(crossed, f"progress after {kill} kills", PROGRESS_DEADLINE_S)
        customers.stopped.wait(rng.uniform(0, LONGEST_LOAD_S))
        customers.check()
        chosen = rng.choice([[bank.gateway], [bank.ledger.server], [bank.gateway, bank.ledger.server]])
        for process in chosen:
            process.kill()
        for process in chosen:
            process.start()
    bank.ledger.server.wait_ready()


def all_is_accounted_for(bank, customers):
    with bank.ledger.client() as client:
        commands = (command_pb2.Command.FromString(decode_envelope(entry.envelope)[0]) for entry in client.all_entries())
        credits = Counter(command.credit.transaction_id for command in commands)
        assert {txid: credits[txid] for txid in customers.sent} == dict.fromkeys(customers.sent, 1)
        for (key, asset), available in customers.balances().items():
            assert client.balance(key, asset) == (available, 0, 0)
    left = bank.left_custody()
    topped_up = Counter({moved: count for moved, count in left.items() if moved[0] in customers.addresses.values()})
    assert left - topped_up == customers.paid_out()


def audited(bank):
    """-> what a full audit counts, to the log's end"""
    with bank.ledger.client() as client:
        client.checkpoint(client.size())
    code, words = windlass(bank.ledger.server, "audit", "--full", "--tron", bank.chain.address, "--json")
    assert code == 0, words
    return json.loads(words)


def test_whatever_is_killed_each_deposit_and_withdrawal_crosses_once(bank_at_work, rng):
    bank, customers = bank_at_work
    kill_now_and_then(bank, customers, rng)
    customers.join(PROGRESS_DEADLINE_S)
    rows = {}
    for owner in customers.owners:
        rows.update(bank.settled(owner, PROGRESS_DEADLINE_S))
    assert {id: row.state for id, row in rows.items()} == dict.fromkeys(customers.taken, State.STATE_PAID)
    bank.reconciled()
    all_is_accounted_for(bank, customers)
    assert int(audited(bank)["payments_on_chain"]) == len(customers.taken) == CROSSINGS
    sweeps = bank.ledger.database.number("SELECT count(*) FROM sweeps")
    print(f"{KILLS} kills, {len(customers.sent)} deposits, {len(customers.taken)} withdrawals, {sweeps} sweeps and top-ups")
    a_theft_stops_withdrawals(bank, BTT_ASSET, customers.owners[0])


def a_theft_stops_withdrawals(bank, asset, owner):
    """Of one unit from custody."""
    before = bank.left_custody()
    block, _ = bank.chain.place_of(bank.send(bank.custody, bank.rich.address, asset, 1))
    stolen = time.monotonic()
    wait_until(lambda: bank.ledger.database.number("SELECT block FROM scanner") >= block, "the scan", DEADLINE_S)
    compared = bank.gateway.compared() or 0
    wait_until(lambda: (bank.gateway.compared() or 0) > compared, "custody to be looked at once more", DEADLINE_S)
    assert bank.gateway.difference(asset.symbol) < 0
    print(f"shown after {time.monotonic() - stolen:.1f} s")
    with bank.ledger.client() as client:
        wait_until(lambda: client.terms(asset.number)[3] == "WITHDRAWALS_PAUSED", "withdrawals to stop", DEADLINE_S)
        with pytest.raises(Refused, match="WITHDRAWALS_PAUSED"):
            withdraw(client, owner, 2 * MINIMUM)
    code, words = windlass(bank.ledger.server, "withdrawal-terms")
    assert code == 0 and "WITHDRAWALS_PAUSED" in words
    bank.wait_blocks(20)
    assert bank.left_custody() - before == Counter({(bank.rich.address, asset.token, 1): 1})


def test_one_unit_stolen_from_custody_stops_withdrawals(bank):
    owner = Signer()
    bank.deposit(owner, 50 * SUN)
    bank.offered(50 * SUN)
    bank.reconciled()
    a_theft_stops_withdrawals(bank, TRX_ASSET, owner)
