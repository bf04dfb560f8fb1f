"""A real Prometheus with the scrape configuration and alerts of deploy/, against a whole system that runs."""

import json
import os
import pathlib
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest

from processes import BIN_DIR, free_port, wait_until

SOURCE = pathlib.Path(os.environ.get("WINDLASS_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
START_DEADLINE_S = 60
STOP_DEADLINE_S = 60


@pytest.fixture(scope="module")
def system(directory):
    """A development system's settings."""
    home = directory / "dev"
    windlass = BIN_DIR / "windlass"
    subprocess.run([windlass, "dev", "--detach", "--dir", home], check=True, timeout=2 * START_DEADLINE_S)
    yield dict(line.split(" = ", 1) for line in (home / "dev.conf").read_text().splitlines() if " = " in line)
    subprocess.run([windlass, "dev", "stop", "--dir", home], check=True, timeout=STOP_DEADLINE_S)


@pytest.fixture(scope="module")
def prometheus(directory, system):
    """Asks a Prometheus, configured as deploy/ has it but for addresses and patience."""
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is not installed")
    folder = directory / "prometheus"
    shutil.copytree(SOURCE / "deploy" / "prometheus", folder)
    config = (folder / "prometheus.yml").read_text()
    for target, port in (("windlassd:7382", "metrics_port"), ("windlass-anchor:7383", "anchor_metrics_port")):
        assert target in config
        config = config.replace(target, f"127.0.0.1:{system[port]}")
    (folder / "prometheus.yml").write_text(config.replace("10s", "1s"))
    port = free_port()
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )

    def ask(path, **parameters):
        url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    yield ask
    process.terminate()
    process.wait(STOP_DEADLINE_S)


def values(ask, query):
    data = ask("query", query=query)
    return [float(sample["value"][1]) for sample in data["result"]] if data else []


def test_scrapes_both_daemons_and_evaluates_every_alert(prometheus):
    wait_until(lambda: values(prometheus, "up") == [1, 1], "both daemons to be up")
    wait_until(lambda: values(prometheus, "sum(windlass_is_writer)") == [1], "a writer")
    assert values(prometheus, 'windlass_log_size{stage="committed"}')[0] >= 1

    def rules():
        groups = (prometheus("rules") or {"groups": []})["groups"]
        return [rule for group in groups for rule in group["rules"]]

    wait_until(lambda: rules() and all(rule["health"] == "ok" for rule in rules()), "every rule")
    assert len(rules()) == 17
    assert [rule["name"] for rule in rules() if rule["state"] == "firing"] == []


def test_shows_that_the_system_was_anchored(prometheus):
    anchored = 'windlass_log_size{stage="solidified"} > 0'
    wait_until(lambda: values(prometheus, anchored), "an anchor", START_DEADLINE_S)
    assert values(prometheus, "windlass_anchor_balance_sun")[0] > 0
    assert values(prometheus, "time() - max(windlass_last_anchor_timestamp_seconds)")[0] < 3600
