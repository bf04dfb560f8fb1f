"""The anchor contract, compiled by the real compiler and run on a real EVM: what is checked in is what the source says,
and it does what it is to do. `python test_contract.py` writes anchoring/contract/WindlassAnchor.json anew."""

import json

import pytest

from formats import keccak256
from nodetools import run_node
from processes import SOURCE_DIR

FOLDER = SOURCE_DIR / "anchoring" / "contract"
FILE = FOLDER / "WindlassAnchor.json"

OWNER, OTHER, THIRD = "59190a66a52db246593bb032c2a957e530128015", "d953826712e6a1c2b10b63f89256a95d294098da", "7e" * 20
NOBODY = "00" * 20
ROOT = "ab" * 32


def evm(*arguments, stdin=None):
    run = run_node("evm.cjs", *arguments, stdin=stdin)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def carry_out(*plays):
    """Each play, [(sender, contract or None, data, value)], on a new chain -> what became of its steps"""
    names = ("from", "to", "data", "value")
    steps = [[dict(zip(names, step, strict=True)) for step in play] for play in plays]
    return evm("run", stdin=json.dumps(steps))


def selector(signature):
    return keccak256(signature.encode())[:4].hex()


def word(value):
    return f"{value:064x}" if isinstance(value, int) else value.rjust(64, "0")


def anchor(size=7, root=ROOT):
    return selector("anchor(uint64,bytes32)") + word(size) + root


def transfer(to):
    return selector("transferOwnership(address)") + word(to)


ACCEPT, GET_OWNER, GET_PENDING = (selector(f"{name}()") for name in ("acceptOwnership", "owner", "pendingOwner"))
NOT_OWNER, NOT_PENDING = selector("NotOwner()"), selector("NotPendingOwner()")


@pytest.fixture(scope="module")
def checked_in():
    return json.loads(FILE.read_text())


@pytest.fixture(scope="module")
def address(checked_in):
    """Where the contract comes to stand on a new EVM: it follows from the sender alone."""
    [[deployment]] = carry_out([(OWNER, None, checked_in["bytecode"], 0)])
    return deployment["address"]


def steps_of(calls, bytecode, address):
    """The contract's creation by OWNER, then (sender, data[, value]) each."""
    creation = (OWNER, None, bytecode, 0)
    return [creation, *((sender, address, data, value[0] if value else 0) for sender, data, *value in calls)]


def measure(bytecode, address):
    """The energy of each way through the contract."""
    plays = carry_out(*(steps_of([*before, call], bytecode, address) for _, before, call in WAYS))
    costs = {way: play[-1]["energy"] for (way, _, _), play in zip(WAYS, plays, strict=True)}
    return {"deploy": plays[0][0]["energy"], **costs}


@pytest.fixture(scope="module")
def play(checked_in, address):
    """play((sender, data[, value]), ...) on a new contract of OWNER's -> what became of each"""

    def on_new_contract(*calls):
        [[deployment, *results]] = carry_out(steps_of(calls, checked_in["bytecode"], address))
        assert deployment["ok"] and deployment["address"] == address
        return results

    return on_new_contract


def compiled():
    return evm("compile", str(FOLDER / "WindlassAnchor.sol"), "WindlassAnchor")


# Each way through the contract: its name, what comes before it, and the call.
WAYS = [
    ("value_sent", [], (OWNER, anchor(), 1)),
    ("no_selector", [], (OWNER, anchor()[:6])),
    ("unknown_selector", [], (OWNER, "deadbeef")),
    ("anchor", [], (OWNER, anchor())),
    ("anchor_short", [], (OWNER, anchor()[:-2])),
    ("anchor_malformed", [], (OWNER, anchor(2**64))),
    ("anchor_not_owner", [], (OTHER, anchor())),
    ("transfer_first", [], (OWNER, transfer(OTHER))),
    ("transfer_again", [(OWNER, transfer(OTHER))], (OWNER, transfer(THIRD))),
    ("transfer_short", [], (OWNER, transfer(OTHER)[:-2])),
    ("transfer_malformed", [], (OWNER, transfer("01" + OTHER))),
    ("transfer_not_owner", [], (OTHER, transfer(OTHER))),
    ("accept", [(OWNER, transfer(OTHER))], (OTHER, ACCEPT)),
    ("accept_not_pending", [(OWNER, transfer(OTHER))], (THIRD, ACCEPT)),
    ("owner", [], (OTHER, GET_OWNER)),
    ("pending_owner", [], (OTHER, GET_PENDING)),
]


def test_what_is_checked_in_is_what_the_source_compiles_to(checked_in):
    made = compiled()
    for name in ("abi", "bytecode", "runtime"):
        assert checked_in[name] == made[name], name
    assert checked_in["compiler"].startswith("solc " + made["compiler"].split("+")[0])
    assert checked_in["code_hash"] == keccak256(bytes.fromhex(made["runtime"])).hex()


def test_creation_leaves_the_runtime_code(checked_in):
    [[deployment]] = carry_out([(OWNER, None, checked_in["bytecode"], 0)])
    assert deployment["returned"] == checked_in["runtime"]


def test_prices_are_what_a_tron_node_charged():
    costs = json.loads((SOURCE_DIR / "tests" / "vectors" / "tron" / "contract-costs.json").read_text())
    creations = [(each["sender"], None, each["data"], 0) for each in costs["creations"]]
    [made] = carry_out(creations)
    places = {each["contract"]: result["address"] for each, result in zip(costs["creations"], made, strict=True)}
    calls = [(each["sender"], places[each["contract"]], each["data"], each["value"]) for each in costs["calls"]]
    [results] = carry_out(creations + calls)
    expected = {each["name"]: each["energy"] for each in costs["creations"] + costs["calls"]}
    assert {name: result["energy"] for name, result in zip(expected, results, strict=True)} == expected
    assert len(expected) == 21


def test_energy_of_each_way_is_as_checked_in(checked_in, address):
    assert measure(checked_in["bytecode"], address) == checked_in["energy"]


@pytest.mark.parametrize("size", [0, 1, 2**63, 2**64 - 1])
def test_its_owner_anchors_with_one_event_of_two_words(play, address, size):
    [result] = play((OWNER, anchor(size)))
    topic = keccak256(b"Anchored(uint64,bytes32)").hex()
    assert result["ok"] and result["returned"] == ""
    assert result["logs"] == [{"address": address, "topics": [topic], "data": word(size) + ROOT}]


def test_an_anchor_stores_nothing(play):
    """No word written: else it would cost 5,000 energy at the least."""
    first, second = play((OWNER, anchor(1)), (OWNER, anchor(1)))
    assert first["energy"] == second["energy"] < 2000


def test_nobody_else_can_have_it_emit(play):
    for sender in (OTHER, NOBODY):
        [result] = play((sender, anchor()))
        assert (result["ok"], result["logs"], result["returned"]) == (False, [], NOT_OWNER)


def test_it_takes_no_money(play):
    for call in (anchor(), transfer(OTHER), ACCEPT, GET_OWNER):
        assert not play((OWNER, call, 1))[0]["ok"]


def test_ownership_passes_in_two_steps(play):
    offered, owner, pending, anchored, early, accepted, late, new = play(
        (OWNER, transfer(OTHER)),
        (THIRD, GET_OWNER),
        (THIRD, GET_PENDING),
        (OWNER, anchor()),
        (OTHER, anchor()),
        (OTHER, ACCEPT),
        (OWNER, anchor()),
        (OTHER, anchor()),
    )
    assert offered["ok"] and (owner["returned"], pending["returned"]) == (word(OWNER), word(OTHER))
    assert anchored["ok"] and not early["ok"], "an offer changes nothing"
    assert accepted["ok"] and accepted["logs"][0]["data"] == word(OWNER) + word(OTHER)
    assert (late["ok"], late["returned"]) == (False, NOT_OWNER)
    assert new["ok"]


def test_an_offer_can_be_taken_back_and_accepted_once(play):
    _, _, refused, pending = play((OWNER, transfer(OTHER)), (OWNER, transfer(NOBODY)), (OTHER, ACCEPT), (OWNER, GET_PENDING))
    assert (refused["ok"], refused["returned"]) == (False, NOT_PENDING)
    assert pending["returned"] == word(0)
    _, first, second, owner = play((OWNER, transfer(OTHER)), (OTHER, ACCEPT), (OTHER, ACCEPT), (OTHER, GET_OWNER))
    assert first["ok"] and not second["ok"]
    assert owner["returned"] == word(OTHER)


def test_only_its_owner_offers_it_and_only_who_was_offered_accepts(play):
    stolen, accepted = play((OTHER, transfer(OTHER)), (OTHER, ACCEPT))
    assert (stolen["returned"], accepted["returned"]) == (NOT_OWNER, NOT_PENDING)
    _, third, owner = play((OWNER, transfer(OTHER)), (THIRD, ACCEPT), (OWNER, ACCEPT))
    assert (third["returned"], owner["returned"]) == (NOT_PENDING, NOT_PENDING)
    assert play((NOBODY, ACCEPT))[0]["ok"], "an EVM lets the zero address send; it has no key"


def write():
    """Makes the file from the source."""
    made, old = compiled(), json.loads(FILE.read_text())
    [[deployment]] = carry_out([(OWNER, None, made["bytecode"], 0)])
    content = {
        "about": old["about"],
        "compiler": f"solc {made['compiler'].split('+')[0]}, evmVersion paris, optimizer 200 runs, no metadata",
        "abi": made["abi"],
        "bytecode": made["bytecode"],
        "runtime": made["runtime"],
        "code_hash": keccak256(bytes.fromhex(made["runtime"])).hex(),
        "energy": measure(made["bytecode"], deployment["address"]),
    }
    FILE.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    write()
