"""What a person does with `windlass`, and what it answers."""

import re
import stat

import pytest

from command_line import DONE, LATER, PATIENCE_S, REFUSED, USAGE, System, run
from processes import wait_until


@pytest.fixture(scope="module")
def system(directory):
    system = System(directory / "cli")
    system.start()
    yield system
    system.stop()


@pytest.fixture(scope="module")
def alice(system):
    key = system.new_key("alice.key")
    system.fund(key, "100", "BTT")
    return key


@pytest.fixture(scope="module")
def bob(system):
    key = system.new_key("bob.key")
    system.fund(key, "10", "BTT")
    return key


def hex_of(system, key):
    return system.run("key", "show", "--json", key=key).json["key"]


def flip(text, place):
    return text[:place] + ("1" if text[place] == "0" else "0") + text[place + 1 :]


# --- keys


def test_a_key_is_its_owners_alone_and_never_replaced(system):
    key = system.new_key("mine.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_text()
    system.run("key", "new", key=key, expect=USAGE)
    assert key.read_text() == before


def test_a_secret_is_shown_only_when_asked_for(system):
    key = system.new_key("secret.key")
    secret = key.read_text().strip()
    shown = system.run("key", "show", key=key)
    assert secret not in shown.out + shown.err
    assert system.run("key", "show", "--secret", key=key).out.strip() == secret
    other = key.with_name("imported.key")
    imported = system.run("key", "import", key=other, text=secret + "\n")
    assert hex_of(system, other) == hex_of(system, key)
    assert secret not in imported.out + imported.err


def test_a_passphrase_is_needed_for_a_key_that_has_one(system):
    key = system.directory.parent / "encrypted.key"
    environment = {**system.environment, "WINDLASS_PASSPHRASE": "correct horse"}
    run("key", "new", "--passphrase", "--key", key, environment=environment)
    run("key", "show", "--key", key, environment=environment)
    run("key", "show", "--key", key, environment={**environment, "WINDLASS_PASSPHRASE": "wrong"}, expect=USAGE)
    # The standard input of a test is no terminal.
    assert "set WINDLASS_PASSPHRASE" in run("key", "show", "--key", key, text="", expect=USAGE).err


def test_an_auditors_key_shows_its_verifier_key_and_pays_nobody(system, bob):
    key = system.directory.parent / "auditor.key"
    made = run("key", "new-auditor", "audits.example.org", "--key", key, "--json").json
    assert run("key", "show", "--key", key, "--json").json == made
    assert made["vkey"] in run("key", "show", "--key", key).out
    secret = key.read_text().strip()
    assert secret not in run("key", "show", "--key", key).out
    assert run("key", "show", "--secret", "--key", key).out.strip() == secret
    assert "auditor's key" in system.run("pay", bob, "1", key=key, expect=USAGE).err


def test_a_key_may_be_hex_a_file_or_an_address(system, alice):
    shown = system.run("key", "show", "--json", key=alice).json
    # The ledger finds addresses in what it has written behind its entries.
    wait_until(lambda: system.run("account", shown["address"], expect=None).code == DONE, "the address to be known")
    numbers = {system.run("account", who, "--json").json["number"] for who in (alice, shown["key"], shown["address"])}
    assert len(numbers) == 1


def test_an_address_never_seen_names_no_key(system):
    stranger = system.run("key", "show", "--json", key=system.new_key("stranger.key")).json["address"]
    refused = system.run("account", stranger, expect=REFUSED)
    assert "cannot be known from its address" in refused.err


# --- paying


def test_a_payment_moves_exactly_what_it_says(system, alice, bob):
    before = system.balance(alice), system.balance(bob)
    system.run("pay", bob, "1.000001", "BTT", key=alice)
    system.run("pay", bob, "7", "--units", key=alice)
    assert (system.balance(alice), system.balance(bob)) == (before[0] - 1_000_008, before[1] + 1_000_008)


@pytest.mark.parametrize(
    "words, code",
    [
        (("0.0000001",), USAGE),
        (("-1",), USAGE),
        (("1", "DOGE"), USAGE),
        (("1e3",), USAGE),
        (("0",), USAGE),
        (("99999999", "BTT"), REFUSED),
    ],
)
def test_an_amount_that_cannot_be_paid_is_refused(system, alice, bob, words, code):
    before = system.balance(alice)
    system.run("pay", bob, *words, key=alice, expect=code)
    assert system.balance(alice) == before


def test_a_refusal_tells_its_figures_as_amounts(system, bob):
    key = system.new_key("poor.key")
    system.fund(key, "3.5", "BTT")
    assert "available 3.5 BTT" in system.run("pay", bob, "5", key=key, expect=REFUSED).err


def test_a_list_pays_everybody_or_nobody(system, alice, tmp_path):
    names = [system.new_key(f"listed-{i}.key") for i in range(3)]
    keys = [hex_of(system, name) for name in names]
    file = tmp_path / "list.csv"
    before = system.balance(alice)
    file.write_text("key,amount\n" + "".join(f"{key},1.5\n" for key in keys) + "nobody,2\n")
    assert "line 5" in system.run("pay", "--list", file, key=alice, expect=USAGE).err
    assert system.balance(alice) == before
    file.write_text("key,amount\n" + "".join(f"{key},1.5\n" for key in keys))
    system.run("pay", "--list", file, key=alice)
    assert [system.balance(key) for key in keys] == [1_500_000] * 3
    assert system.balance(alice) == before - 4_500_000


def test_a_channel_lives_from_open_to_close(system, alice, bob, tmp_path):
    before = system.balance(bob)
    channel = system.run("channel", "open", bob, "5", "BTT", "--expires", "1d", key=alice).number(r"entry (\d+)")
    topped_up = system.run("channel", "top-up", channel, "1", "BTT", key=alice).out
    assert f"channel {channel}: 0 BTT of 6 BTT claimed" in topped_up
    receipts = [system.run("receipt", "sign", channel, amount, key=alice).out for amount in ("1", "2", "3.5")]
    (tmp_path / "one").write_text(receipts[0])
    (tmp_path / "many").write_text("".join(receipts[:2]))
    (tmp_path / "last").write_text(receipts[2])
    system.run("receipt", "submit", tmp_path / "one", key=bob)
    assert "covered" in system.run("receipt", "submit", tmp_path / "one", key=bob).out
    # The payer's side of a claim names only the channel.
    assert f"channel {channel}: 1 BTT of 6 BTT claimed" in system.run("history", alice).out
    outcome = system.run("receipt", "submit-all", tmp_path / "many", "--json", key=bob).json
    assert outcome == {"accepted": "1", "covered": "1", "refused": "0"}
    shown = system.run("channel", "show", channel, "--json").json
    assert (shown["deposit"], shown["claimed"], shown["open"]) == ("6000000", "2000000", True)
    system.run("channel", "close", channel, key=alice, expect=LATER)  # not before it expires
    system.run("channel", "close", channel, "--receipt", tmp_path / "last", key=bob)
    assert system.balance(bob) == before + 3_500_000
    assert system.balance(alice, part="locked") == 0
    assert str(channel) in [c["id"] for c in system.run("channel", "list", alice, "--closed", "--json").json]
    system.run("channel", "close", channel, key=bob, expect=REFUSED)


def test_both_parties_of_a_channel_are_counted_in_what_is_owed(system, alice, bob, tmp_path):
    channel = system.run("channel", "open", bob, "5", "BTT", "--expires", "1d", key=alice).number(r"entry (\d+)")
    (tmp_path / "claim").write_text(system.run("receipt", "sign", channel, "2", key=alice).out)
    system.run("receipt", "submit", tmp_path / "claim", key=bob)
    for key, in_channel in ((alice, 3_000_000), (bob, 0)):
        owed = system.balance(key) + in_channel

        def counted():
            done = system.run("liabilities", key, "--json", expect=None)
            return done.code == 0 and int(done.json["amount"]) == owed and done.json

        report = wait_until(counted, "a seal of what is owed now", PATIENCE_S)
        assert report["holds"] and report["solvent"]
        sums = system.sql("SELECT available + locked + held FROM assets WHERE number = 1")
        assert int(report["total"]) == int(sums)
        words = system.run("liabilities", key).out
        assert words.startswith("counted: ") and "\nin the log: seal " in words and "\nsolvent: custody T" in words
    report = system.run("audit", "--full", "--json").json
    assert int(report["liabilities"]) == int(report["liabilities_computed"]) > 0


def test_a_receipt_that_was_changed_is_refused(system, alice, bob, tmp_path):
    channel = system.run("channel", "open", bob, "5", "BTT", key=alice).number(r"entry (\d+)")
    receipt = system.run("receipt", "sign", channel, "1", key=alice).out
    place = receipt.index("signature\": \"", receipt.index("signatures") + 12) + 20
    (tmp_path / "receipt").write_text(flip(receipt, place))
    assert "BAD_SIGNATURE" in system.run("receipt", "submit", tmp_path / "receipt", key=bob, expect=REFUSED).err


def test_a_withdrawal_is_told_in_the_assets_decimals(system):
    key = system.new_key("withdrawing.key")
    system.fund(key, "10", "BTT")
    said = system.run("withdraw", "5", key=key).out
    assert re.search(r"channel \d+: 0 BTT of 5\.\d+ BTT claimed", said), said


@pytest.mark.parametrize(
    "fee, said",
    [("2 TRX", "a fee is of the amount's asset"), ("0.0000001", "BTT has 6 decimals"), ("0", "FEE_TOO_LOW"), ("-1", "is no amount")],
)
def test_a_withdrawals_fee_is_written_as_its_amount_is(system, alice, fee, said):
    told = system.run("withdraw", "1", f"--fee={fee}", key=alice, expect=REFUSED if said.isupper() else USAGE)
    assert said in told.err


def test_a_rotated_key_pays_no_more(system, bob):
    old, new = system.new_key("old.key"), system.new_key("new.key")
    system.fund(old, "3", "BTT")
    system.run("key", "rotate", new, key=old)
    assert "KEY_ROTATED" in system.run("pay", bob, "1", key=old, expect=REFUSED).err
    system.run("pay", bob, "1", key=new)
    assert system.balance(new) == 2_000_000


def test_historical_signatures_are_refused_for_good_only_when_that_is_meant(system):
    key = system.new_key("refusing.key")
    system.fund(key, "3", "BTT")
    assert "--yes" in system.run("refuse-btfs", key=key, expect=USAGE).err
    assert "refused" in system.run("refuse-btfs", "--yes", key=key).out


# --- proving


def test_what_the_ledger_promised_can_be_checked_offline(system, alice, bob, tmp_path):
    vkey = system.environment["WINDLASS_LOG_VKEY"]
    saved = tmp_path / "acknowledgement.json"
    saved.write_text(system.run("pay", bob, "1", "--json", key=alice).out)
    run("verify", saved, "--vkey", vkey)
    text = saved.read_text()
    saved.write_text(flip(text, text.index('"leaf": "') + 60))
    run("verify", saved, "--vkey", vkey, expect=REFUSED)
    run("verify", saved, expect=USAGE)  # whose signature?


def test_a_tlog_proof_can_be_checked_offline(system, alice, tmp_path):
    vkey = system.environment["WINDLASS_LOG_VKEY"]
    proof = tmp_path / "proof"
    proof.write_text(system.run("proof", 2).out)
    assert "entry 2" in run("verify", proof, "--vkey", vkey).out
    proof.write_text(proof.read_text().replace("index 2", "index 1"))
    run("verify", proof, "--vkey", vkey, expect=REFUSED)
    run("verify", proof, "--vkey", vkey[:-8] + "AAAAAAA=", expect=USAGE)


def test_a_history_is_proven_back_to_its_first_entry(system, alice, bob):
    system.run("pay", bob, "1", key=alice)

    def anchored():
        verified = system.run("history", alice, "--verify", "--quiet", "--json").json["verified"]
        return verified if verified["anchored_entries"] == verified["entries"] else None

    wait_until(anchored, "all of the history to be anchored")
    verified = anchored()
    assert verified["holds"] and len(verified["transaction"]) == 64
    assert verified["anchor_contract"] == system.environment["WINDLASS_ANCHOR_CONTRACT"]
    table = system.run("history", alice, "--csv").out.splitlines()
    assert table[0].startswith("sequence,time_us,kind")
    sequences = [int(line.split(",")[0]) for line in table[1:]]
    assert sequences == sorted(sequences, reverse=True)


def test_a_history_that_is_not_looked_up_on_the_chain_says_so(system, alice):
    environment = {name: value for name, value in system.environment.items() if name != "WINDLASS_TRON_GRPC"}
    assert "not proven against TRON" in run("history", alice, "--verify", "--quiet", environment=environment).out


def test_a_history_under_another_logs_key_is_refused(system, alice, directory):
    other = "windlass.dev/00000000+8d52d013+AWMB4OnN8xrOdUhyvu9rnDmyLl8L3CQ7hWWHs8IhAe2L"
    refused = system.run("history", alice, "--verify", "--quiet", "--vkey", other, expect=None)
    assert refused.code in (REFUSED, USAGE)


@pytest.mark.parametrize("options", [(), ("--from", 3), ("--full",)])
def test_the_audit_finds_everything_in_order(system, alice, options):
    report = system.run("audit", "--json", *options).json
    assert report["holds"] and int(report["entries"]) > 3
    assert int(report["anchors_on_chain"]) == int(report["anchors"])


# --- how it ends


def test_an_unreachable_ledger_is_worth_another_try():
    assert "--address" in run("ledger", "--address", "127.0.0.1:1", expect=LATER).err


@pytest.mark.parametrize("words", [(), ("fly",), ("pay",), ("entry",), ("entry", "x"), ("account", "zz"), ("--deadline-ms", "0", "ledger")])
def test_wrong_usage_is_told_from_refusals(words):
    run(*words, expect=USAGE)


@pytest.mark.parametrize(
    "words, said",
    [
        (("fly",), 'has no command "fly"; it has key, '),
        (("acount",), "did you mean `windlass account`?"),
        (("key", "foo"), '`windlass key` has no command "foo"; it has new, '),
        (("key", "shwo"), "did you mean `windlass key show`?"),
        (("dev", "fnud"), "did you mean `windlass dev fund`?"),
        (("channel",), "`windlass channel` needs a command: open, "),
        (("pay", "--momo", "x", "y", "1"), "`windlass pay` has no option --momo; did you mean --memo?"),
        (("ledger", "--jsno"), "did you mean --json?"),
        (("ledger", "again"), '`windlass ledger` takes no "again"'),
        (("ledger", "-1"), "no negative number"),
        (("entry", "-1"), '"-1" is negative'),
        (("entry", "x"), '"x" is no number: its sequence, a whole number'),
        (("entry",), "number is required"),
    ],
)
def test_wrong_words_are_named_with_what_would_be_right(words, said):
    error = run(*words, expect=USAGE).err
    assert said in error and "--help` says more" in error


def test_every_command_explains_itself():
    completion = run("completion").out
    assert "channel open" in completion and "--expires" in completion
    manual = run("man").out
    assert ".SH COMMANDS" in manual and "receipt submit-all" in manual
    for command in (("pay",), ("channel", "open"), ("dev", "fund"), ("demo",)):
        assert "Usage" in run(*command, "--help", expect=DONE).out


def test_the_operator_alone_sets_roles(system, alice, bob):
    operator = system.directory / "keys" / "operator"
    system.run("admin", "roles", hex_of(system, bob), "auditor", key=alice, expect=REFUSED)
    system.run("admin", "roles", hex_of(system, bob), "auditor", key=operator)
    assert system.run("account", bob, "--json").json["roles"] == 8
    system.run("audit", "--as-auditor", key=bob)
    system.run("admin", "asset", 4, "GOLD", "--decimals", 2, "--token", "1000001", key=operator)
    assert "GOLD" in system.run("ledger").out
