"""`windlass demo`: swarms paid for, block by block, to the last unit."""

import pytest

from command_line import USAGE, System, run

HEADER = "at_ms,downloader,uploader,piece,block,bytes"


@pytest.fixture(scope="module")
def system(directory):
    system = System(directory / "demo")
    system.start()
    yield system
    system.stop()


def swarm(rng, peers, blocks, block_bytes=16_384):
    """Any well-formed trace: some of the peers' blocks are smaller."""
    rows, at_ms = [], 0
    for block in range(blocks):
        at_ms += rng.randrange(3)
        downloader, uploader = rng.sample(peers, 2)
        length = block_bytes if rng.random() < 0.9 else rng.randrange(1, block_bytes)
        rows.append((at_ms, downloader, uploader, block // 16, block % 16, length))
    return rows


def write(path, rows):
    path.write_text("\n".join([HEADER, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.mark.parametrize("peers, price, speed", [([0, 1], 1, "max"), ([5, 17, 99, 4_000_000_000], 7, "max"), (list(range(9)), 3, "2")])
def test_pays_what_the_trace_says(system, tmp_path, rng, peers, price, speed):
    rows = swarm(rng, peers, 300)
    trace = write(tmp_path / "trace.csv", rows)
    report = run("demo", "--dir", system.directory, "--trace", trace, "--price", price, "--speed", speed, "--json").json
    assert report["holds"] and int(report["receipts"]) == len(rows)
    assert int(report["claims"]) + int(report["covered"]) == len(rows)
    assert int(report["total"]) == price * sum(row[5] for row in rows)
    for peer in report["peers"]:
        assert int(peer["earned"]) == price * sum(row[5] for row in rows if row[2] == peer["peer"])
        assert int(peer["paid"]) == price * sum(row[5] for row in rows if row[1] == peer["peer"])
        assert system.balance(peer["key"]) == int(peer["balance"])
    assert len(report["anchor_transaction"]) == 64


@pytest.mark.parametrize("line, row", [(3, "5,1,1,0,0,16384"), (4, "0,2,1,0,0,x"), (2, "0,2,1,0,0"), (5, "0,2,1,0,0,0")])
def test_refuses_a_malformed_trace_before_anything_is_paid(system, tmp_path, line, row):
    rows = [f"{i},2,1,0,{i},16384" for i in range(6)]
    rows[line - 2] = row
    trace = tmp_path / "trace.csv"
    trace.write_text("\n".join([HEADER, *rows]) + "\n")
    accounts = system.run("ledger", "--json").json["totals"]["accounts"]
    refused = run("demo", "--dir", system.directory, "--trace", trace, expect=USAGE)
    assert f"line {line}:" in refused.err
    assert system.run("ledger", "--json").json["totals"]["accounts"] == accounts


def test_the_built_in_swarm_is_paid_for_whole(system):
    done = run("demo", "--dir", system.directory, "--speed", "max")
    assert "totals equal the trace to the last unit: 1642324096 units for 100240 blocks" in done.out
    assert "1642.324096" in done.out


def test_needs_a_system_that_runs(tmp_path):
    assert "windlass dev" in run("demo", "--dir", tmp_path / "none", expect=USAGE).err
