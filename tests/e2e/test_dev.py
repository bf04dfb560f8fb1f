"""`windlass dev`: one system in one folder, started, supervised and stopped as a whole."""

import os
import pathlib
import re
import signal
import stat
import subprocess

import pytest

from command_line import LATER, PATIENCE_S, REFUSED, USAGE, WINDLASS, System, plain_environment, run
from processes import wait_until

# docs and scripts find the system by these.
VARIABLES = {
    "WINDLASS_ADDRESS",
    "WINDLASS_HTTP",
    "WINDLASS_DATABASE_URL",
    "WINDLASS_TRON_GRPC",
    "WINDLASS_TRON_HTTP",
    "WINDLASS_LOG_VKEY",
    "WINDLASS_ANCHOR_CONTRACT",
    "WINDLASS_CUSTODY",
}


@pytest.fixture
def system(directory, request):
    system = System(directory / request.node.name[:24])
    yield system
    system.stop()


def children_of(process_id):
    """By name."""
    found = {}
    for task in pathlib.Path(f"/proc/{process_id}/task").iterdir():
        for child in (task / "children").read_text().split():
            found[pathlib.Path(f"/proc/{child}/comm").read_text().strip()] = int(child)
    return found


def test_gives_every_variable_that_others_find_it_by(system):
    system.start()
    assert set(system.environment) == VARIABLES
    assert re.fullmatch(r"T\w{33}", system.environment["WINDLASS_ANCHOR_CONTRACT"])
    exports = run("dev", "env", "--dir", system.directory).out
    shell = subprocess.run(["bash", "-c", f"{exports}\nenv"], env={}, capture_output=True, text=True, check=True)
    assert f"WINDLASS_DATABASE_URL={system.environment['WINDLASS_DATABASE_URL']}\n" in shell.stdout
    assert system.sql("SELECT count(*) > 0 FROM entries") == "t"


def test_keeps_its_state_until_it_is_reset(system):
    system.start()
    key = system.new_key("kept.key")
    system.fund(key, "3", "BTT")
    before = system.environment
    system.stop()
    system.start()
    assert system.environment == before
    assert system.balance(key) == 3_000_000
    system.run("history", key, "--verify", "--quiet")
    system.stop()
    system.start("--reset")
    assert system.environment["WINDLASS_LOG_VKEY"] != before["WINDLASS_LOG_VKEY"]
    system.run("account", key, expect=REFUSED)


def anchored_by(system, key):
    """What proves all of its history; None while it is not anchored yet."""
    verified = system.run("history", key, "--verify", "--quiet", "--json").json["verified"]
    return verified if verified["anchored_entries"] == verified["entries"] else None


def test_credits_a_trc20_token_by_what_its_contract_logged(system):
    system.start()
    key = system.new_key("token.key")
    funded = system.fund(key, "1234567.891", "--asset", "BTT20")
    assert "credited 1234567.891 BTT20" in funded.out
    assert system.balance(key, asset=3) == 1_234_567_891
    wait_until(lambda: anchored_by(system, key), "an anchor of the credit", PATIENCE_S)
    report = system.run("audit", "--full", "--json").json
    # And the one that the gateway bears fees with.
    assert report["holds"] and int(report["credits"]) == int(report["credits_on_chain"]) == 2


def test_anchors_through_its_contract_and_a_folder_without_one_by_memo(system):
    system.start()
    contract = system.environment["WINDLASS_ANCHOR_CONTRACT"]
    key = system.new_key("anchored.key")
    system.fund(key, "3", "BTT")
    wait_until(lambda: anchored_by(system, key), "an anchor by the contract", PATIENCE_S)
    assert anchored_by(system, key)["anchor_contract"] == contract
    system.stop()
    # As a folder was before there were contracts.
    conf = system.directory / "dev.conf"
    lines = [line for line in conf.read_text().splitlines() if not line.startswith("anchor_contract")]
    conf.write_text("\n".join(lines) + "\n")
    system.start()
    assert system.environment["WINDLASS_ANCHOR_CONTRACT"] == ""
    system.fund(key, "3", "BTT")

    def by_memo():
        verified = anchored_by(system, key)
        return verified and "anchor_contract" not in verified

    wait_until(by_memo, "an anchor by memo", PATIENCE_S)
    # Both forms stand, side by side, on the chain.
    report = system.run("audit", "--json").json
    assert report["holds"] and int(report["anchors_on_chain"]) == int(report["anchors"]) >= 2


def test_refuses_a_ledger_of_which_the_newest_entries_are_gone(system):
    system.start()
    key = system.new_key("robbed.key")
    system.fund(key, "3", "BTT")
    wait_until(lambda: anchored_by(system, key), "the ledger to have nothing more to seal", PATIENCE_S)
    entries = int(system.sql("SELECT count(*) FROM entries"))
    system.sql(f"DELETE FROM entries WHERE sequence >= {entries - 2}")
    system.stop()
    refused = run("dev", "--dir", system.directory, "--detach", *system.OPTIONS, expect=REFUSED)
    assert re.search(rf"\b{entries}\b.*\b{entries - 2}\b|\b{entries - 2}\b.*\b{entries}\b", refused.err), refused.err


def test_one_system_a_folder(system):
    system.start()
    again = run("dev", "--dir", system.directory, "--detach", expect=REFUSED)
    assert "already" in again.err
    system.run("ledger")


def test_starts_again_after_it_was_killed(system):
    system.start()
    key = system.new_key("killed.key")
    system.fund(key, "3", "BTT")
    os.kill(int((system.directory / "pid").read_text()), signal.SIGKILL)
    system.start()
    assert system.balance(key) == 3_000_000


@pytest.mark.parametrize("part", ["windlass-anchor", "windlassd", "windlass-devcha", "postgres"])
def test_says_which_part_died_and_stops_the_others(system, part):
    command = [WINDLASS, "dev", "--dir", system.directory, *System.OPTIONS]
    process = subprocess.Popen(
        [str(word) for word in command],
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "Windlass runs.\n"
    children = children_of(process.pid)
    os.kill(children[part], signal.SIGKILL)
    _, complaint = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == REFUSED
    assert complaint.startswith(f"windlass dev: {part}") and "killed by signal 9" in complaint and ".log" in complaint
    for child in children.values():
        assert not pathlib.Path(f"/proc/{child}").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(system, how):
    command = [WINDLASS, "dev", "--dir", system.directory, *System.OPTIONS]
    process = subprocess.Popen([str(word) for word in command], env=plain_environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "Windlass runs.\n"
    children = children_of(process.pid)
    assert len(children) == 4
    process.send_signal(how)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    wait_until(lambda: not any(pathlib.Path(f"/proc/{child}").exists() for child in children.values()), "its parts to go")
    run("dev", "fund", "--dir", system.directory, "00" * 33, "1", expect=LATER)


def test_leaves_a_folder_alone_that_is_none_of_its_own(directory):
    folder = directory / "precious"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    for options in ((), ("--reset",)):
        run("dev", "--dir", folder, "--detach", *options, expect=USAGE)
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_keeps_its_keys_to_itself(system):
    system.start()
    for key in (system.directory / "keys").iterdir():
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key
    assert stat.S_IMODE((system.directory / "keys").stat().st_mode) == 0o700


def test_gives_addresses_of_the_chain_what_they_ask_for(system):
    system.start()
    address = system.run("key", "show", "--json", key=system.new_key("on-chain.key")).json["address"]
    for amount in (("5", "TRX"), ("7.5", "BTT"), ("12345678.9", "BTT20")):
        sent = system.run("dev", "faucet", "--dir", system.directory, address, *amount)
        assert amount[0] in sent.out
