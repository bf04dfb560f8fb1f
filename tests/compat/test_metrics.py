"""A real Prometheus scrapes the live server by the configuration that deploy/ gives to operators."""

import json
import subprocess
import urllib.parse

import pytest
import yaml

from client import DEADLINE_S
from processes import SOURCE_DIR, Process, free_address, http_answers, http_get, wait_until

PROMETHEUS, PROMTOOL = "/usr/bin/prometheus", "/usr/bin/promtool"
SHIPPED = SOURCE_DIR / "deploy" / "prometheus" / "prometheus.yml"
DEFAULT_PORT = ":7382"  # of metrics.listen


def for_this_server(configuration, metrics_address):
    """The configuration with its ledger servers replaced by this one and nothing else; rules by their path."""
    configuration["global"] = {**configuration.get("global", {}), "scrape_interval": "200ms", "scrape_timeout": "200ms"}
    configuration.pop("alerting", None)
    rules = configuration.get("rule_files", [])
    configuration["rule_files"] = [str(SHIPPED.parent / name) for name in rules]
    jobs = []
    for job in configuration["scrape_configs"]:
        targets = [target for group in job.get("static_configs", []) for target in group["targets"]]
        if any(target.endswith(DEFAULT_PORT) for target in targets):
            for name in ("scrape_interval", "scrape_timeout"):
                job.pop(name, None)
            jobs.append({**job, "static_configs": [{"targets": [metrics_address]}]})
    assert jobs, f"{SHIPPED} scrapes no target that ends in {DEFAULT_PORT}"
    return {**configuration, "scrape_configs": jobs}


@pytest.fixture(scope="module")
def prometheus(directory, server):
    """Its base URL."""
    shipped = yaml.safe_load(SHIPPED.read_text())
    file = directory / "prometheus.yml"
    file.write_text(yaml.safe_dump(for_this_server(shipped, server.metrics_address)))
    address = free_address()
    storage, log = directory / "prometheus", directory / "prometheus.log"
    options = [f"--config.file={file}", f"--storage.tsdb.path={storage}", f"--web.listen-address={address}"]
    process = Process([PROMETHEUS, *options], log)
    process.wait_for(lambda: http_answers(f"http://{address}/-/ready"), "is ready")
    yield f"http://{address}"
    assert process.stop() == 0


def query(prometheus, expression):
    """-> [(labels, value)]"""
    answer = json.loads(http_get(f"{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
    assert answer["status"] == "success"
    return [(row["metric"], float(row["value"][1])) for row in answer["data"]["result"]]


def test_prometheus_finds_the_server_up(prometheus, server):
    [(labels, _)] = wait_until(lambda: query(prometheus, "up == 1"), "the server is scraped")
    assert labels["instance"] == server.metrics_address


def test_prometheus_answers_with_the_server_s_metrics(prometheus, ledger):
    [(labels, value)] = wait_until(lambda: query(prometheus, "windlass_build_info"), "windlass_build_info")
    assert (labels["version"], value) == (ledger.info.version, 1)

    size = ledger.inclusion(0).size
    expression = f'windlass_log_size{{stage="signed"}} >= {size}'
    [(_, signed)] = wait_until(lambda: query(prometheus, expression), "the size of the signed log")
    [(_, committed)] = query(prometheus, 'windlass_log_size{stage="committed"}')
    assert committed >= signed >= size


def test_promtool_is_content_with_the_metrics(server):
    metrics = http_get(f"http://{server.metrics_address}/metrics")
    lint = subprocess.run([PROMTOOL, "check", "metrics"], input=metrics, capture_output=True, timeout=DEADLINE_S)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, b"", b"")


def test_promtool_is_content_with_the_shipped_configuration():
    check = subprocess.run([PROMTOOL, "check", "config", SHIPPED], capture_output=True, text=True, timeout=DEADLINE_S)
    assert check.returncode == 0, check.stdout + check.stderr
