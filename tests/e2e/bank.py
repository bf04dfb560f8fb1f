"""A ledger, a chain and a gateway between them, as processes."""

import contextlib
import subprocess
from collections import Counter
from dataclasses import dataclass

import devchain
from formats import Signer
from harness import BTT, TRX, Ledger, Refused, refusals
from processes import BIN_DIR, free_address, http_get, wait_until, write_secret
from tron_chain import base58check, base58decode, movement_of
from windlass.v1 import query_pb2

SUN = 10**6
DEADLINE_S = 180  # custody is held against the ledger within one block, which a starved machine seldom manages
State = query_pb2.Withdrawal.State


@dataclass(frozen=True)
class Asset:
    number: int
    symbol: str
    token: str  # on TRON
    chain_units: int  # of TRON, in one of the ledger's


ASSETS = (Asset(BTT, "BTT", devchain.BTT, 1), Asset(TRX, "TRX", "", 1), Asset(3, "BTT20", devchain.BTT20, 10**15))
BTT_ASSET, TRX_ASSET = ASSETS[:2]
FEE = 10


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
            "gateway.withdrawals": f"TRX minimum=1000 fee={FEE}",
            "gateway.start_block": 1,
            "gateway.single_node_ceilings": ",".join(f"{asset.symbol} {10**12}" for asset in ASSETS),
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

    def difference(self, symbol="TRX"):
        """What custody holds beyond what the ledger owes, in ledger units; None before it was looked at."""
        return self.metric(f'custody_difference{{asset="{symbol}"}}')

    def compared(self):
        """When custody was last held against the ledger; the differences are as of then."""
        return self.metric("custody_compared_timestamp_seconds")

    def metric(self, name):
        """None before it is shown."""
        try:
            text = http_get(f"http://{self.metrics}/metrics").decode()
        except OSError:  # it has just been started
            return None
        for line in text.splitlines():
            if line.startswith(f"windlass_{name} "):
                return float(line.split()[-1])
        return None

    def log(self):
        return self._log.read_text(errors="replace")


class Bank:
    def __init__(self, ledger, chain, gateway, custody, rich):
        self.ledger, self.chain, self.gateway, self.custody, self.rich = ledger, chain, gateway, custody, rich

    def deposit(self, owner, units, asset=TRX_ASSET):
        with self.ledger.client() as client:
            before = self.available(client, owner, asset)
            self.send(self.rich, self.custody.address, asset, units * asset.chain_units, owner.key.hex().encode())
            credited = before + units
            wait_until(lambda: self.available(client, owner, asset) == credited, "the deposit's credit", DEADLINE_S)

    def send(self, signer, to, asset, amount, memo=b""):
        """On the chain, in its units -> the transaction's id"""
        if not asset.token:
            return self.chain.transfer(signer, to, amount, memo)
        if asset.token.isdigit():
            return self.chain.transfer_trc10(signer, to, asset.token, amount, memo)
        return self.chain.transfer_trc20(signer, to, base58decode(asset.token), amount, memo)

    def available(self, client, owner, asset=TRX_ASSET):
        try:
            with refusals():
                return client.balance(owner.key, asset.number)[0]
        except Refused as refused:
            assert refused.reason == "UNKNOWN_KEY"
            return 0

    def offered(self, units, asset=TRX_ASSET):
        """Waits until the server has heard that the gateway could pay so much."""
        with self.ledger.client() as client:
            payable = lambda: (client.terms(asset.number) or (0, 0, 0, ""))[2]  # noqa: E731
            wait_until(lambda: payable() >= units, "the gateway's terms", DEADLINE_S)

    def states(self, owner):
        with self.ledger.client() as client:
            request = query_pb2.ListWithdrawalsRequest(key=owner.key, page_size=1000)
            return {row.id: row for row in client.query.ListWithdrawals(request, timeout=20).withdrawals}

    def left_custody(self):
        """(destination, token, amount in the chain's units) of all that left custody, in solidified blocks."""
        left = Counter()
        for block in self.chain.solid_blocks():
            for member in block.transactions:
                moved = movement_of(member.transaction)
                if moved and moved.owner == self.custody.address:
                    left[moved.to, moved.token, moved.amount] += 1
        return left

    def paid_out(self):
        """The same of TRX alone: (destination, sun)."""
        return Counter({(to, sun): count for (to, token, sun), count in self.left_custody().items() if not token})

    def wait_blocks(self, count):
        until = self.chain.solid_head().block_header.raw_data.number + count
        wait_until(lambda: self.chain.solid_head().block_header.raw_data.number >= until, "blocks", DEADLINE_S)

    def crossed(self):
        """Deposits that are credited and withdrawals that are settled, as of now."""
        return self.ledger.database.number(
            "SELECT (SELECT count(*) FROM deposits WHERE state = 'credited') + (SELECT count(*) FROM payments WHERE settled)"
        )

    def settled(self, owner, deadline_s=DEADLINE_S):
        return wait_until(
            lambda: (rows := self.states(owner)) and all(row.state >= State.STATE_PAID for row in rows.values()) and rows,
            "all withdrawals to be settled",
            deadline_s,
        )

    def reconciled(self):
        """Waits until custody is known to hold what the ledger owes, of every asset."""
        wait_until(
            lambda: all(self.gateway.difference(asset.symbol) == 0 for asset in ASSETS),
            "custody to be reconciled",
            DEADLINE_S,
        )


@contextlib.contextmanager
def opened(postgres, directory, customers=(), ledger=None, gateway=None):
    """A bank whose gateway can bear fees; the customers are rich on the chain; further options of the ledger and the gateway."""
    custody, rich = Signer(), Signer()
    chain = devchain.Devchain(directory, rich, *customers)
    genesis = {"genesis__custody_address": base58check(custody.address), "genesis__btt20_contract": devchain.BTT20}
    ledger = Ledger(postgres, directory, **genesis, **(ledger or {})).start()
    gateway = Gateway(ledger, chain, custody, directory, **(gateway or {}))
    try:
        bank = Bank(ledger, chain, gateway, custody, rich)
        bank.deposit(ledger.keys.gateway, 20_000 * SUN)
        yield bank
    finally:
        gateway.kill()
        ledger.kill_all()
        chain.stop()
