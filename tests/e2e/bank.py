"""A ledger, a chain and a gateway between them, as processes."""

import subprocess
from collections import Counter

from harness import TRX, Refused, refusals
from processes import BIN_DIR, free_address, http_get, wait_until, write_secret
from tron_chain import base58check, transfer_of
from windlass.v1 import query_pb2

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
