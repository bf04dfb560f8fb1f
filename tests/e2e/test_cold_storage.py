"""Custody in two places: what its key can spend, up to a ceiling, and what lies in cold storage; held against the ledger together."""

import pytest

from bank import DEADLINE_S, FEE, SUN, TRX_ASSET, State, opened
from formats import Signer
from harness import TRX, Refused, windlass
from processes import wait_until
from tron_chain import base58check
from windlass.v1 import command_pb2

FLOAT = 20_000 * SUN  # the gateway's own, for fees
CEILING = FLOAT + 10 * SUN


@pytest.fixture
def cold():
    return Signer()


@pytest.fixture
def bank(postgres, tmp_path, cold):
    offer = f"TRX minimum=1000 fee={FEE} hot_ceiling={CEILING}"
    gateway = {"gateway.withdrawals": offer, "gateway.cold": base58check(cold.address)}
    with opened(postgres, tmp_path, gateway=gateway) as bank:
        yield bank


class Storage:
    """What the gateway's metrics say of custody, once they say it."""

    def __init__(self, bank):
        self._bank = bank

    def shows(self, **amounts):
        names = {
            "hot": 'custody_amount{asset="TRX",storage="hot"}',
            "cold": 'custody_amount{asset="TRX",storage="cold"}',
            "above": 'custody_above_ceiling{asset="TRX"}',
            "difference": 'custody_difference{asset="TRX"}',
        }
        wait_until(
            lambda: all(self._bank.gateway.metric(names[name]) == amount for name, amount in amounts.items()),
            f"custody to be {amounts}",
            DEADLINE_S,
        )

    def moves(self, signer, to, sun):
        """-> what it cost"""
        txid = self._bank.send(signer, to.address, TRX_ASSET, sun)
        self._bank.chain.place_of(txid)
        return self._bank.chain.solid_info(txid).fee


def credited(client):
    return next(int.from_bytes(of.credited, "big") for of in client.totals().totals if of.asset == TRX)


def withdrawal(owner, sun):
    return {"withdraw": command_pb2.Withdraw(asset=TRX, amount=sun, fee=FEE, destination=owner.address)}


def test_what_is_above_the_ceiling_is_moved_to_cold_storage_and_counts_there(bank, cold):
    owner, storage = Signer(), Storage(bank)
    bank.deposit(owner, 50 * SUN)
    storage.shows(hot=FLOAT + 50 * SUN, cold=0, above=40 * SUN, difference=0)
    with bank.ledger.client() as client:
        owed = credited(client)
        storage.moves(bank.rich, cold, SUN)  # for the fees of what comes back
        storage.shows(cold=SUN, difference=SUN)
        surplus = SUN - storage.moves(bank.custody, cold, 40 * SUN)
        hot = CEILING + surplus - SUN
        storage.shows(hot=hot, cold=41 * SUN, above=0, difference=surplus)

        wait_until(lambda: client.terms(TRX)[2] < 30 * SUN, "the gateway's terms", DEADLINE_S)
        with pytest.raises(Refused, match="GATEWAY_OUT_OF_FUNDS"):
            client.do(owner, **withdrawal(owner, 30 * SUN))
        assert client.balance(owner.key, TRX) == (50 * SUN, 0, 0)
        fee = storage.moves(cold, bank.custody, 35 * SUN)
        storage.shows(hot=hot + 35 * SUN, cold=6 * SUN - fee, above=hot + 35 * SUN - CEILING, difference=surplus - fee)
        assert credited(client) == owed, "nothing of it is a deposit"
        bank.offered(30 * SUN)
        client.do(owner, **withdrawal(owner, 30 * SUN))
    [row] = bank.settled(owner).values()
    assert row.state == State.STATE_PAID
    storage.shows(difference=surplus - fee)
    code, words = windlass(bank.ledger.server, "audit", "--full", "--tron", bank.chain.address)
    assert code == 0, words
