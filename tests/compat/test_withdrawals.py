"""Withdrawals as a stranger's client sees them: what holds money, what is refused and holds none, who may settle."""

import grpc
import pytest

from client import DEADLINE_S, HOUR_US, TRON, command_pb2, ledger_pb2, now_us, query_pb2
from formats import Signer, sha256
from processes import wait_until
from test_refusals import assert_refused
from windlass.v1 import admin_pb2

Code = grpc.StatusCode
State = query_pb2.Withdrawal.State
TRON_ADDRESS = b"\x41" + bytes(range(20))


def withdrawal(ledger, amount, fee, destination=TRON_ADDRESS):
    return command_pb2.Withdraw(asset=ledger.btt, amount=amount, fee=fee, destination=destination)


def settlement(id, outcome, **more):
    fields = {"transaction_id": sha256(b"payment"), "block": 7, **more}
    return command_pb2.SettleWithdrawal(withdrawal=id, outcome=outcome, **fields)


def listed(ledger, key, **more):
    request = query_pb2.ListWithdrawalsRequest(key=key, **more)
    return ledger.query.ListWithdrawals(request, timeout=DEADLINE_S)


def signed_list(ledger, signer, method, life_us=HOUR_US, after=0, page_size=1000):
    asked = admin_pb2.ListRequest(after=after, page_size=page_size, expires_us=now_us() + life_us, method=method)
    request = asked.SerializeToString()
    signature = ledger_pb2.Signature(key=signer.key, signature=signer.sign(ledger.tag, request))
    return admin_pb2.SignedRequest(request=request, signature=signature)


def queue(ledger, signer, method="ListOpenWithdrawals", **more):
    request = signed_list(ledger, signer, method, **more)
    return ledger.admin.ListOpenWithdrawals(request, timeout=DEADLINE_S).withdrawals


def credits(ledger, signer, **more):
    request = signed_list(ledger, signer, "ListCredits", **more)
    return ledger.admin.ListCredits(request, timeout=DEADLINE_S).credits


@pytest.fixture
def owner(funded):
    return funded(1_000_000)


@pytest.fixture(autouse=True)
def offered(offer):
    offer()


def test_amount_and_fee_are_held_until_the_gateway_settles(ledger, roles, owner):
    paid = ledger.submit(owner, withdraw=withdrawal(ledger, 5_000, 10)).sequence
    back = ledger.submit(owner, withdraw=withdrawal(ledger, 7_000, 20)).sequence
    assert ledger.balance(owner.key) == (1_000_000 - 12_030, 0, 12_030)
    before = ledger.balance(roles.gateway.key)[0]
    ledger.execute(roles.gateway, settle_withdrawal=settlement(paid, "OUTCOME_PAID"))
    ledger.execute(roles.gateway, settle_withdrawal=settlement(back, "OUTCOME_REFUNDED"))
    assert ledger.balance(owner.key) == (1_000_000 - 5_010, 0, 0)
    assert ledger.balance(roles.gateway.key)[0] == before + 10
    assert [(row.id, row.state) for row in listed(ledger, owner.key).withdrawals] == [
        (back, State.STATE_REFUNDED),
        (paid, State.STATE_PAID),
    ]
    again = settlement(paid, "OUTCOME_REFUNDED")
    assert_refused(
        lambda: ledger.execute(roles.gateway, settle_withdrawal=again), Code.FAILED_PRECONDITION, "WITHDRAWAL_SETTLED"
    )


def test_the_owner_sees_it_at_once_with_its_place_in_the_queue(ledger, owner):
    first = ledger.submit(owner, withdraw=withdrawal(ledger, 1_000, 10)).sequence
    [row] = listed(ledger, owner.key).withdrawals
    assert (row.id, row.amount, row.fee, row.destination) == (first, 1_000, 10, TRON_ADDRESS)
    assert row.state == State.STATE_HELD
    second = ledger.submit(owner, withdraw=withdrawal(ledger, 1_000, 10)).sequence
    place = wait_until(lambda: listed(ledger, owner.key, page_size=1).withdrawals[0].queue_place, "its place in the queue")
    assert place >= 1
    pages = listed(ledger, owner.key, page_size=1)
    assert [row.id for row in pages.withdrawals] == [second]
    [older] = listed(ledger, owner.key, page_size=1, page_token=pages.next_page_token).withdrawals
    assert older.id == first


def test_what_the_gateway_could_not_pay_is_refused_and_holds_nothing(ledger, owner, offer):
    def refused(amount, fee, code, reason):
        assert_refused(lambda: ledger.submit(owner, withdraw=withdrawal(ledger, amount, fee)), code, reason)
        assert ledger.balance(owner.key)[2] == 0

    refused(999, 10, Code.FAILED_PRECONDITION, "BELOW_MINIMUM_WITHDRAWAL")
    refused(1_000, 9, Code.FAILED_PRECONDITION, "FEE_TOO_LOW")
    refused(999_991, 10, Code.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS")
    trx = command_pb2.Withdraw(asset=ledger.assets["TRX"].number, amount=1, destination=TRON_ADDRESS)
    assert_refused(lambda: ledger.submit(owner, withdraw=trx), Code.FAILED_PRECONDITION, "WITHDRAWALS_NOT_OFFERED")
    offer(payable=0)
    refused(1_000, 10, Code.FAILED_PRECONDITION, "GATEWAY_OUT_OF_FUNDS")
    offer(refuses="WITHDRAWALS_PAUSED")
    refused(1_000, 10, Code.FAILED_PRECONDITION, "WITHDRAWALS_PAUSED")


def test_the_same_withdrawal_again_is_one(ledger, owner, offer):
    signed = ledger.signed(ledger.command(withdraw=withdrawal(ledger, 1_000, 10)), owner)
    first = ledger.submit_signed(signed).accepted
    offer(refuses="WITHDRAWALS_PAUSED")  # it has been taken: its answer does not change
    again = ledger.submit_signed(signed).accepted
    assert (again.sequence, again.repeated_command) == (first.sequence, True)
    assert ledger.balance(owner.key)[2] == 1_010


def test_fields_that_say_nothing_sensible(ledger, owner):
    for bad, reason in [
        (withdrawal(ledger, 0, 10), "BAD_AMOUNT"),
        (withdrawal(ledger, 1_000, -1), "BAD_AMOUNT"),
        (withdrawal(ledger, 1_000, 10, b""), "BAD_FIELD"),
        (withdrawal(ledger, 1_000, 10, TRON_ADDRESS[1:]), "BAD_FIELD"),
        (withdrawal(ledger, 1_000, 10, b"\x42" + TRON_ADDRESS[1:]), "BAD_FIELD"),
    ]:
        assert_refused(lambda: ledger.submit(owner, withdraw=bad), Code.INVALID_ARGUMENT, reason)


def test_a_withdrawal_is_no_channel(ledger, owner):
    id = ledger.submit(owner, withdraw=withdrawal(ledger, 1_000, 10)).sequence
    receipt = ledger.signed(ledger.receipt(id, 500), owner)
    for call in (
        lambda: ledger.submit_signed(receipt),
        lambda: ledger.submit(owner, close_channel=command_pb2.CloseChannel(channel=id)),
        lambda: ledger.submit(owner, top_up_channel=command_pb2.TopUpChannel(channel=id, amount=5)),
        lambda: ledger.payment_channel(id),
    ):
        assert_refused(call, Code.NOT_FOUND, "UNKNOWN_CHANNEL")


def test_only_roles_settle_approve_assign_and_read_the_queue(ledger, roles, owner):
    id = ledger.submit(owner, withdraw=withdrawal(ledger, 1_000, 10)).sequence
    nobodys = ledger.credit(roles.gateway, b"", 500).sequence
    approve = command_pb2.ApproveWithdrawal(withdrawal=id)
    assign = command_pb2.AssignDeposit(deposit=nobodys, owner=owner.key)
    for body in (
        {"settle_withdrawal": settlement(id, "OUTCOME_PAID")},
        {"approve_withdrawal": approve},
        {"assign_deposit": assign},
    ):
        assert_refused(lambda: ledger.execute(owner, **body), Code.PERMISSION_DENIED, "MISSING_ROLE")
    assert_refused(lambda: queue(ledger, owner), Code.PERMISSION_DENIED, "MISSING_ROLE")
    other = {"method": "ListUnassignedDeposits"}
    assert_refused(lambda: queue(ledger, roles.gateway, **other), Code.INVALID_ARGUMENT, "BAD_FIELD")
    assert_refused(lambda: queue(ledger, roles.gateway, life_us=-1), Code.FAILED_PRECONDITION, "EXPIRED")
    row = wait_until(lambda: [row for row in queue(ledger, roles.gateway, after=id - 1) if row.id == id], "the queue")[0]
    assert (row.key, row.amount, row.fee, row.approved) == (owner.key, 1_000, 10, False)
    ledger.execute(roles.operator, approve_withdrawal=approve)
    wait_until(lambda: [row for row in queue(ledger, roles.gateway, after=id - 1) if row.id == id and row.approved], "the approval")


def test_the_gateway_finds_its_credits_by_their_place(ledger, roles, owner):
    first = ledger.credit(roles.gateway, owner.key, 5).sequence
    second = ledger.credit(roles.gateway, b"", 7).sequence
    newest = credits(ledger, roles.gateway, page_size=2)
    assert [credit.sequence for credit in newest] == [second, first]
    assert newest[0].chain == TRON and newest[0].block == newest[1].block + 1
    assert [credit.sequence for credit in credits(ledger, roles.gateway, after=second, page_size=1)] == [first]
    assert_refused(lambda: credits(ledger, owner), Code.PERMISSION_DENIED, "MISSING_ROLE")


def test_a_deposit_of_nobody_is_assigned_once(ledger, roles, owner):
    nobodys = ledger.credit(roles.gateway, b"", 500).sequence
    assign = command_pb2.AssignDeposit(deposit=nobodys, owner=owner.key)
    ledger.execute(roles.operator, assign_deposit=assign)
    assert ledger.balance(owner.key) == (1_000_500, 0, 0)
    assert_refused(
        lambda: ledger.execute(roles.operator, assign_deposit=assign), Code.FAILED_PRECONDITION, "DEPOSIT_ASSIGNED"
    )
    unknown = command_pb2.AssignDeposit(deposit=nobodys + 10**9, owner=Signer().key)
    assert_refused(lambda: ledger.execute(roles.operator, assign_deposit=unknown), Code.NOT_FOUND, "UNKNOWN_DEPOSIT")
