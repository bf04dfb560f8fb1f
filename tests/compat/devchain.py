"""A TRON of a test's own, on which whoever is named is rich."""

import json
import re

from processes import BIN_DIR, Process, wait_until
from tron_chain import Node, base58check, transaction_id

BLOCK_INTERVAL_MS = 200  # the gateway looks at custody within one block: on a busy machine half of it is too short
SOLID_AFTER = 2
SUN_EACH = 10**12
BTT, BTT20 = "1002000", base58check(b"\x41" + 20 * b"\x60")  # a TRC-10's id, and a TRC-20's contract
TOKENS_EACH = {BTT: 10**15, BTT20: 10**30}


def genesis_of(rich):
    accounts = [
        {"address": address, "balance_sun": str(SUN_EACH), "tokens": {BTT: str(TOKENS_EACH[BTT])}} for address in rich
    ]
    balances = {address: str(TOKENS_EACH[BTT20]) for address in rich}
    contract = {"address": BTT20, "name": "BitTorrent", "symbol": "BTT20", "decimals": 18, "balances": balances}
    return {"accounts": accounts, "contracts": [contract]}


class Devchain(Node):
    def __init__(self, directory, *rich):
        genesis, log = directory / "devchain.json", directory / "devchain.log"
        genesis.write_text(json.dumps(genesis_of([base58check(signer.address) for signer in rich])))
        arguments = ["--dir", directory / "devchain", "--genesis", genesis, "--listen", "127.0.0.1:0"]
        timing = ["--block-interval-ms", BLOCK_INTERVAL_MS, "--solid-after", SOLID_AFTER]
        self._process = Process([BIN_DIR / "windlass-devchain", *arguments, *timing], log)
        found = self._process.wait_for(lambda: re.search(r"listening on (\S+)", log.read_text()), "listens")
        self.address = found[1]
        super().__init__(self.address)

    def send_signal(self, number):
        self._process.send_signal(number)

    def stop(self):
        self.close()
        return self._process.stop()

    def place_of(self, txid):
        """Its block and its index there, once that is solid."""

        def block():
            number = self.solid_info(txid).blockNumber
            return number and number <= self.solid_head().block_header.raw_data.number and self.solid_block(number)

        found = wait_until(block, "the transaction to be solid")
        ids = [transaction_id(member.transaction) for member in found.transactions]
        return found.block_header.raw_data.number, ids.index(txid)
