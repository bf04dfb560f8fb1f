"""Customers of a bank, who deposit in every way and withdraw, whatever is killed meanwhile; and what must have come of it."""

import math
import threading
from collections import Counter, deque
from dataclasses import dataclass

import grpc

from bank import ASSETS, FEE, Asset
from formats import Signer
from harness import MINIMUM, Refused
from windlass.v1 import command_pb2, query_pb2

THREADS = 4
# Deposits of a thread whose withdrawals are not taken yet: some must be on their way, but not all.
AHEAD = 5
# Deposits and withdrawals that are sent and not credited or settled: kills meet both until the end.
UNDER_WAY = 200
RETRY_S = 0.05
# Of withdrawals: what a deposit that is on its way, or a gateway that was killed, makes of them.
NOT_YET = {"UNKNOWN_ACCOUNT", "INSUFFICIENT_FUNDS", "GATEWAY_AWAY", "GATEWAY_OUT_OF_FUNDS", "WITHDRAWALS_PAUSED"}
AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
BY_MEMO, BY_SIGNATURE, BY_ADDRESS = "memo", "signature", "address"


@dataclass(frozen=True)
class Crossing:
    """Money that comes in, and a part of it that goes out again."""

    owner: Signer
    asset: Asset
    way: str  # that says whose the deposit is
    deposit: int  # in the chain's units
    withdrawal: int  # in the ledger's
    destination: bytes

    def credited(self):
        return self.deposit // self.asset.chain_units


def plan(rng, owners, count):
    """Crossings of these owners, to addresses of their own and others."""
    elsewhere = [Signer().address for _ in range(count // 20 + 1)]

    def crossing():
        owner, asset = rng.choice(owners), rng.choice(ASSETS)
        units = rng.randrange(10 * MINIMUM, 2_000 * MINIMUM)
        return Crossing(
            owner,
            asset,
            rng.choice((BY_MEMO, BY_SIGNATURE, BY_ADDRESS)),
            units * asset.chain_units + rng.randrange(asset.chain_units),
            rng.randrange(MINIMUM, units - FEE),
            rng.choice((owner.address, rng.choice(elsewhere))),
        )

    return [crossing() for _ in range(count)]


class Customers:
    """At work in threads, each with owners of its own, until all of a plan has been sent and taken."""

    def __init__(self, bank, crossings):
        self._bank = bank
        self.sent = {}  # deposits by transaction id
        self.taken = {}  # withdrawals by id
        self.addresses = {}  # deposit addresses by key
        self.crossed = 0  # as somebody says who looks
        self.stopped, self._wrong = threading.Event(), None
        self.owners = list({crossing.owner.key: crossing.owner for crossing in crossings}.values())
        share_of = {owner.key: i % THREADS for i, owner in enumerate(self.owners)}
        shares = [[one for one in crossings if share_of[one.owner.key] == i] for i in range(THREADS)]
        self._threads = [threading.Thread(target=self._run, args=(bank.ledger.client(), share)) for share in shares]
        for thread in self._threads:
            thread.start()

    def check(self):
        if self._wrong:
            raise self._wrong

    def stop(self):
        """Wherever they are."""
        self.stopped.set()
        for thread in self._threads:
            thread.join()

    def join(self, deadline_s):
        """Until all is sent and taken."""
        self.crossed = math.inf
        for thread in self._threads:
            thread.join(deadline_s)
        self.check()
        assert not any(thread.is_alive() for thread in self._threads), f"not all was taken within {deadline_s} s"

    def balances(self):
        """(key, asset) -> what must be available once all withdrawals are paid."""
        available = Counter()
        for crossing in self.sent.values():
            available[crossing.owner.key, crossing.asset.number] += crossing.credited()
        for crossing in self.taken.values():
            available[crossing.owner.key, crossing.asset.number] -= crossing.withdrawal + FEE
        return available

    def paid_out(self):
        """What must then have left custody, as Bank.left_custody shows it."""
        return Counter(
            (crossing.destination, crossing.asset.token, crossing.withdrawal * crossing.asset.chain_units)
            for crossing in self.taken.values()
        )

    def _run(self, client, share):
        try:
            with client:
                self._cross(client, share)
        except BaseException as error:  # for the test's thread to raise
            self._wrong = error
            self.stopped.set()

    def _cross(self, client, share):
        waiting = deque()
        for crossing in share:
            while len(self.sent) + len(self.taken) - self.crossed > UNDER_WAY and not self.stopped.wait(RETRY_S):
                pass
            if self.stopped.is_set():
                return
            self._deposit(client, crossing)
            waiting.append(crossing)
            self._withdraw(client, waiting, AHEAD)
        self._withdraw(client, waiting, 0)

    def _deposit(self, client, crossing):
        owner, signer, to, memo = crossing.owner, self._bank.rich, self._bank.custody.address, b""
        address = self._address(client, owner) if crossing.way == BY_ADDRESS else None
        if address:
            to = address
        elif crossing.way == BY_SIGNATURE:
            signer = owner
        else:
            memo = owner.key.hex().encode()
        txid = self._bank.send(signer, to, crossing.asset, crossing.deposit, memo)
        assert txid not in self.sent
        self.sent[txid] = crossing

    def _address(self, client, owner):
        """None where the ledger does not know the owner yet."""
        if owner.key not in self.addresses:
            request = query_pb2.GetDepositAddressRequest(key=owner.key)
            try:
                given = self._answered(lambda: client.ask(client.query.GetDepositAddress, request))
            except Refused as refused:
                assert refused.reason == "UNKNOWN_KEY", refused
                return None
            self.addresses[owner.key] = given.address
        return self.addresses[owner.key]

    def _withdraw(self, client, waiting, left):
        """Until no more than so many wait."""
        while len(waiting) > left and not self.stopped.is_set():
            for crossing in [waiting.popleft() for _ in range(len(waiting))]:
                if not self._is_taken(client, crossing):
                    waiting.append(crossing)
            if len(waiting) > left:
                self.stopped.wait(RETRY_S)

    def _is_taken(self, client, crossing):
        body = command_pb2.Withdraw(
            asset=crossing.asset.number, amount=crossing.withdrawal, fee=FEE, destination=crossing.destination
        )
        signed = client.sign(crossing.owner, withdraw=body)
        try:
            id = self._answered(lambda: client.send(signed)).sequence
        except Refused as refused:
            assert refused.reason in NOT_YET, refused
            return False
        assert id not in self.taken
        self.taken[id] = crossing
        return True

    def _answered(self, call):
        """The same again until it is answered: what was asked of a server that was killed may have been done, or not."""
        while True:
            try:
                return call()
            except Refused as refused:
                if not (refused.retry or refused.status in AWAY) or self.stopped.wait(RETRY_S):
                    raise
