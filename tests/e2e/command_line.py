"""`windlass` as people run it, on a system that `windlass dev` made."""

import json
import os
import re
import subprocess

from processes import BIN_DIR

WINDLASS = BIN_DIR / "windlass"
# Of one command; starting a system from nothing is the longest.
PATIENCE_S = 180

DONE, REFUSED, USAGE, LATER = 0, 1, 2, 3


class Done:
    """How a command ended, and what it said."""

    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def number(self, pattern):
        return int(re.search(pattern, self.out).group(1))


def run(*arguments, environment=None, expect=DONE, text=None):
    command = [str(word) for word in (WINDLASS, *arguments)]
    process = subprocess.run(
        command,
        env={**plain_environment(), **(environment or {})},
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    done = Done(process)
    assert expect is None or done.code == expect, f"{' '.join(command)} ended with {done.code}, not {expect}\n{done.out}\n{done.err}"
    return done


def plain_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("WINDLASS_")}


class System:
    """`windlass dev` in a folder of its own, with a chain that is quick."""

    OPTIONS = ("--block-interval-ms", 200, "--solid-after", 3, "--anchor-interval-ms", 1000)

    def __init__(self, directory):
        self.directory = directory

    def start(self, *options):
        done = run("dev", "--dir", self.directory, "--detach", *self.OPTIONS, *options)
        self.environment = run("dev", "env", "--dir", self.directory, "--json").json
        return done

    def stop(self):
        return run("dev", "stop", "--dir", self.directory)

    def run(self, *arguments, key=None, **options):
        signer = ("--key", key) if key else ()
        return run(*arguments, *signer, environment=self.environment, **options)

    def new_key(self, name):
        file = self.directory.parent / name
        self.run("key", "new", key=file)
        return file

    def fund(self, key, *amount):
        return self.run("dev", "fund", "--dir", self.directory, key, *amount)

    def balance(self, key, asset=1, part="available"):
        balances = self.run("account", key, "--json").json["balances"]
        return next((int(balance[part]) for balance in balances if balance["asset"] == asset), 0)

    def sql(self, statement):
        """As whoever the environment names: the owner."""
        command = ["psql", self.environment["WINDLASS_DATABASE_URL"], "-tAc", statement]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
