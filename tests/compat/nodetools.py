"""The Node.js programs of this folder, run with the pinned packages of package.json."""

import os
import subprocess

from processes import SOURCE_DIR

RUN_DEADLINE_S = 60


def run_node(program, *arguments, stdin=None, deadline_s=RUN_DEADLINE_S):
    """-> the finished process, its output as text"""
    packages = SOURCE_DIR / "build" / "node" / "node_modules"
    assert packages.is_dir(), "scripts/node-packages installs what this needs"
    return subprocess.run(
        ["node", SOURCE_DIR / "tests" / "compat" / program, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
        env={**os.environ, "NODE_PATH": str(packages)},
    )
