"""The historical wallet pays out of and into a whole system, through protocol.Exchange and a chain, with its own library."""

import json
import re
import subprocess
import time

import grpc
import pytest

from command_line import System
from formats import Signer
from gotools import RUN_DEADLINE_S, build_go_programs
from processes import http_get, wait_until

import stubs  # noqa: F401  generates what follows
import btfs_messages as btfs
from btfs import exchange_pb2, exchange_pb2_grpc, ledger_pb2

BTT = 1_000_000
FEE = 100_000  # of `windlass dev`
DEADLINE_S = 15
Response = exchange_pb2.Response


@pytest.fixture(scope="module")
def system(directory):
    system = System(directory / "btfs-exchange")
    system.start()
    yield system
    system.stop()


@pytest.fixture(scope="module")
def wallet(system):
    """wallet(command, signer, option=...) -> (exit code, the lines that the Go program printed)"""
    program = build_go_programs() / "btfs"

    def run(command, signer=None, **options):
        options |= {"key": signer.secret_hex()} if signer else {}
        arguments = [f"-{name.replace('_', '-')}={value}" for name, value in options.items()]
        server = f"-server=http://{system.environment['WINDLASS_ADDRESS']}"
        ran = subprocess.run(
            [program, command, server, *arguments],
            capture_output=True, text=True, timeout=RUN_DEADLINE_S, check=False,
        )  # fmt: skip
        return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()]

    return run


@pytest.fixture(scope="module")
def exchange(system):
    with grpc.insecure_channel(system.environment["WINDLASS_ADDRESS"]) as channel:
        stub = exchange_pb2_grpc.ExchangeStub(channel)
        stub.services = btfs.Services(channel)
        yield stub


@pytest.fixture
def owner(system):
    """A signer that has 5,000 BTT, and some TRX on the chain for what it sends there."""
    signer = Signer()
    before = payable(system)
    system.fund(signer.key.hex(), "5000", "BTT")
    wait_until(lambda: payable(system) >= before + 5000 * BTT, "the gateway offers what was deposited")
    return signer


def payable(system):
    terms = system.run("withdrawal-terms", "--json").json.get("terms", [])
    return next((int(of["payable_now"]) for of in terms if of["asset"] == 1), 0)


def balance(system, signer):
    return system.balance(signer.key.hex())


def custody_is_exact(system):
    ports = dict(line.split(" = ") for line in (system.directory / "dev.conf").read_text().splitlines() if " = " in line)
    port = next(value for name, value in ports.items() if "anchor" in name and "metrics" in name)
    text = http_get(f"http://127.0.0.1:{port}/metrics")
    found = re.findall(r'^windlass_custody_difference\{asset="(\w+)"\} (\S+)$', text.decode(), re.M)
    return len(found) == 3 and all(float(value) == 0 for _, value in found)


def state_of(wallet, exchange_id):
    code, lines = wallet("query", id=exchange_id)
    return lines[-1]["code"], lines[-1]["channel_status"]


def test_pays_out_and_takes_in_to_the_unit(system, wallet, owner):
    code, lines = wallet("withdraw", owner, amount=1_500 * BTT)
    assert code == 0, json.dumps(lines)
    asked = lines[-1]
    wait_until(lambda: state_of(wallet, asked["id"]) == ("SUCCESS", "paid"), "the withdrawal is paid")
    code, lines = wallet("info", channel=asked["channel"])
    assert (lines[-1]["from_balance"], lines[-1]["to_balance"]) == (0, 1_500 * BTT)
    assert balance(system, owner) == 3_500 * BTT

    code, lines = wallet("deposit", owner, amount=200 * BTT, first="1s", every="300ms")
    assert code == 0, lines
    confirmed = [line for line in lines if line["call"] == "ConfirmDeposit"]
    assert [line["code"] for line in confirmed][-1] == "SUCCESS"
    for line in confirmed[:-1]:
        assert (line["code"], line["has_state"]) == ("TRANSACTION_PENDING", False)
    assert lines[-1]["call"] == "CloseChannel" and lines[-1]["to_balance"] == 200 * BTT
    assert balance(system, owner) == 3_700 * BTT
    # What is on the chain is what came out, less the fee, less what went in again.
    code, lines = wallet("deposit", owner, amount=1_300 * BTT)
    assert code == 1 and "USER_TRON_BALANCE_INSUFFICIENT" in json.dumps(lines)
    code, lines = wallet("deposit", owner, amount=1_300 * BTT - FEE, first="1s", every="300ms")
    assert code == 0, lines
    assert balance(system, owner) == 5_000 * BTT - FEE

    wait_until(lambda: custody_is_exact(system), "custody is what the ledger owes, to the unit")
    audit = system.run("audit", "--full", "--tron", system.environment["WINDLASS_TRON_GRPC"]).out
    assert "withdrawals paid: 1" in audit and "credits: " in audit
    system.run("history", owner.key.hex(), "--verify")


def test_says_what_is_too_little_or_too_much(wallet, owner):
    for command, amount, words in (
        ("withdraw", 999 * BTT, "Please withdraw at least"),
        ("deposit", 9 * BTT, "Please deposit at least"),
        ("deposit", 20 * BTT, "does not exist on TRON"),
        ("activate", None, "send some TRX"),
    ):
        code, lines = wallet(command, owner, **({"amount": amount} if amount else {}))
        assert code == 1 and words in json.dumps(lines), (command, lines)
    code, lines = wallet("withdraw", owner, amount=6_000 * BTT)
    assert code == 1 and lines[0]["code"] == "LEDGER_BALANCE_INSUFFICIENT"


def prepare(exchange, signer, amount, **more):
    return exchange.PrepareWithdraw(
        exchange_pb2.PrepareWithdrawRequest(
            amount=amount,
            out_tx_id=time.time_ns(),
            user_address=btfs.address(signer),
            **{"user_external_address": signer.address, **more},
        ),
        timeout=DEADLINE_S,
    )


def open_to(exchange, signer, gateway, amount):
    message = btfs.commit(btfs.address(signer), gateway, amount)
    return exchange.services.open(message, btfs.sign(signer, message))


def signed(signer, message):
    return ledger_pb2.SignedChannelState(channel=message, from_signature=btfs.sign(signer, message))


def withdraw(exchange, exchange_id, signer, gateway, channel, success, failure):
    states = [btfs.state(channel, btfs.address(signer), kept, gateway, given) for kept, given in (success, failure)]
    request = exchange_pb2.WithdrawRequest(
        id=exchange_id,
        success_channel_state=signed(signer, states[0]),
        failure_channel_state=signed(signer, states[1]),
    )
    return exchange.Withdraw(request, timeout=DEADLINE_S).response.code


def test_nobody_withdraws_what_is_anothers(system, exchange, owner):
    """Requests are unsigned and ids can be guessed: neither decides where money goes."""
    thief, amount = Signer(), 2_000 * BTT
    system.fund(thief.key.hex(), "5000", "BTT")
    prepared = prepare(exchange, owner, amount)
    gateway = prepared.ledger_exchange_address
    assert prepared.response.code == Response.SUCCESS
    # The chain's address of another.
    elsewhere = prepare(exchange, owner, amount, user_external_address=thief.address)
    assert elsewhere.response.code not in (Response.SUCCESS,) and elsewhere.response.return_message

    own, others = open_to(exchange, owner, gateway, amount), open_to(exchange, thief, gateway, amount)
    whole = ((0, amount), (amount, 0))
    refused = Response.CHANNEL_ADDRESS_ILLEGAL
    assert withdraw(exchange, prepared.id, thief, gateway, others, *whole) == refused, "another's id"
    assert withdraw(exchange, prepared.id, thief, gateway, own, *whole) == refused, "another's id and channel"
    assert withdraw(exchange, prepared.id, owner, gateway, others, *whole) == refused, "another's channel"
    assert withdraw(exchange, prepared.id, owner, gateway, own, (0, amount), (0, amount)) == Response.AMOUNT_ILLEGAL
    assert withdraw(exchange, prepared.id, owner, gateway, own, (1, amount - 1), (amount, 0)) == Response.AMOUNT_ILLEGAL
    assert withdraw(exchange, prepared.id + 1, owner, gateway, own, *whole) == Response.TRANSACTION_NOT_EXIST
    assert balance(system, owner) == balance(system, thief) == 3_000 * BTT
    # A success state alone, which anybody may have seen, closes nothing in the gateway's favour.
    seen = btfs.state(own, btfs.address(owner), 0, gateway, amount)
    with pytest.raises(grpc.RpcError) as error:
        exchange.services.close(seen, from_signature=btfs.sign(owner, seen))
    assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED

    assert withdraw(exchange, prepared.id, owner, gateway, own, *whole) == Response.SUCCESS
    assert withdraw(exchange, prepared.id, owner, gateway, own, *whole) == Response.SUCCESS, "the same again"
    second = prepare(exchange, owner, amount)
    assert withdraw(exchange, second.id, owner, gateway, own, *whole) == Response.TRANSACTION_EXIST, "one channel, two ids"
    wait_until(
        lambda: exchange.QueryTransaction(exchange_pb2.QueryTransactionRequest(id=prepared.id), timeout=DEADLINE_S).response.code
        == Response.SUCCESS,
        "it is paid, once",
    )
    assert balance(system, owner) == 3_000 * BTT
    wait_until(lambda: custody_is_exact(system), "custody is what the ledger owes, to the unit")
