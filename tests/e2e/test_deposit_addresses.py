"""Deposit addresses by the command line: handed out, paid to, credited, swept to custody, reconciled, audited."""

import pytest

from command_line import PATIENCE_S, REFUSED, System, run
from formats import deposit_address
from processes import http_get, wait_until
from tron_chain import base58check

# Of BIP-32's first test vector.
ANOTHER = "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
UNITS = {"TRX": (2, 10**6), "BTT": (1, 10**6), "BTT20": (3, 10**3)}


@pytest.fixture(scope="module")
def system(directory):
    system = System(directory / "deposit-addresses")
    system.start()
    yield system
    system.stop()


@pytest.fixture(scope="module")
def key(system):
    key = system.new_key("owner.key")
    by_memo = system.run("deposit-address", key, "--json").json  # no account, no number, no address of its own
    assert by_memo["address"] == settings(system)["custody"] and len(by_memo["memo"]) == 66
    system.fund(key, "3", "BTT")
    return key


def settings(system):
    lines = (line.split(" = ") for line in (system.directory / "dev.conf").read_text().splitlines() if " = " in line)
    return dict(lines)


def differences(system):
    """What custody, deposit addresses and what is under way hold beyond what the ledger owes, by asset."""
    text = http_get(f"http://127.0.0.1:{settings(system)['anchor_metrics_port']}/metrics").decode()
    name = "windlass_custody_difference{asset="
    return {line.split('"')[1]: float(line.split()[1]) for line in text.splitlines() if line.startswith(name)}


def send(system, address, amount, asset):
    run("dev", "faucet", "--dir", system.directory, address, amount, "--asset", asset)


def is_swept(system, asset):
    minimum = {1: 10**6, 2: 10**6, 3: 10**18}[asset]
    return system.sql(f"SELECT count(*) FROM deposit_holdings WHERE asset = {asset} AND amount >= {minimum}") == "0"


def test_are_the_extended_keys_children(system, key):
    given = system.run("deposit-address", key, "--json").json
    account = system.run("account", key, "--json").json
    assert given["account"] == account["number"]
    address = deposit_address(given["deposit_key"], int(given["account"]))
    assert bytes.fromhex(given["address"]) == address
    assert given["deposit_key"] == settings(system)["deposit_key"]
    words = system.run("deposit-address", key).out
    assert base58check(address) in words and given["deposit_key"] in words
    assert system.run("deposit-address", key, "--json").json == given
    assert system.sql("SELECT count(*) FROM deposit_addresses") == "1"


def test_of_another_extended_key_are_refused(system, key):
    refused = system.run("deposit-address", key, "--deposit-key", ANOTHER, expect=REFUSED)
    assert "not of the key given by --deposit-key" in refused.err


@pytest.mark.parametrize("asset", UNITS)
def test_take_any_asset_which_is_swept(system, key, asset):
    number, units = UNITS[asset]
    address = system.run("deposit-address", key).out.split()[0]
    before = system.balance(key, asset=number)
    send(system, address, "25", asset)
    wait_until(lambda: system.balance(key, asset=number) == before + 25 * units, "the credit", PATIENCE_S)
    wait_until(lambda: is_swept(system, number), "the sweep", PATIENCE_S)
    wait_until(lambda: set(differences(system).values()) == {0}, "custody to be reconciled", PATIENCE_S)


def test_are_audited(system, key):
    report = system.run("audit", "--full", "--json").json
    assert report["holds"] and int(report["credits"]) == int(report["credits_on_chain"]) > 3


def test_do_not_stand_an_audit_by_another_extended_key(system, key):
    refused = system.run("audit", "--full", "--deposit-key", ANOTHER, expect=REFUSED)
    assert "TRON has no such deposit" in refused.err
