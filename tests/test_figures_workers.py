"""Runs that are killed: they stop at once, leave no worker behind, and the next run goes on from what is kept."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from theory.base.files import remove_partial_files, whole_file

ROOT = Path(__file__).resolve().parents[1]
SENTENCE = "kept; the same command goes on from there."
PROGRAM = f"""
import os, sys, time
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from figures.running.sweep import Sweep
from figures.running.workers import Workers, stop_at_signals
from theory.base.files import remove_partial_files

def cell(settings, rng):
    folder = Path(settings["folder"])
    (folder / f"pid-{{os.getpid()}}").touch()
    time.sleep(settings["seconds"])
    return {{"x": rng.normal(size=20_000)}}

if __name__ == "__main__":
    stop_at_signals({SENTENCE!r})
    folder, seconds = sys.argv[1], float(sys.argv[2])
    remove_partial_files(Path(folder) / "cells")
    with Workers(2) as executor:
        cells = [{{"n": n, "folder": folder, "seconds": 0.0 if n == 0 else seconds}} for n in range(6)]
        Sweep(5, executor, Path(folder) / "cells").run("killed", cell, cells)
    print("done")
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def start(folder, seconds):
    """A run in a process of its own, whose second to sixth cells take some time."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    return started(folder, str(program), str(folder), str(seconds))


def started(folder, *arguments):
    """Python in a process and a session of its own, whose errors go to a file."""
    with (folder / "errors").open("w") as errors:
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        )


def errors(folder):
    return (folder / "errors").read_text()


def wait_until(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)


def processes(folder):
    return [int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")]


def runs(pid):
    """Whether a process is there; one that has ended and waits for its parent to ask does not count."""
    try:
        return re.search(r"^State:\s+[ZX]", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE) is None
    except OSError:
        return False


@linux
@pytest.mark.parametrize(("to_all", "number"), [(False, "INT"), (True, "INT"), (False, "TERM"), (False, "KILL")])
def test_a_killed_run_ends_with_all_its_workers(tmp_path, to_all, number):
    run = start(tmp_path, 600.0)
    wait_until(lambda: len(processes(tmp_path)) == 3)
    begin = time.monotonic()
    (os.killpg if to_all else os.kill)(run.pid, getattr(signal, f"SIG{number}"))  # Ctrl-C goes to all
    run.wait(20.0)
    took = time.monotonic() - begin
    assert run.returncode == {"INT": 130, "TERM": 143, "KILL": -9}[number]
    wait_until(lambda: not any(runs(pid) for pid in processes(tmp_path)), 5.0)
    if number != "KILL":
        assert took < 2.0
        assert errors(tmp_path) == f"\n{SENTENCE}\n"


@linux
def test_a_run_that_is_stopped_in_a_long_call_ends_none_the_less(tmp_path):
    """Python calls no handler while the main thread is in a call that does not return."""
    program = (
        "import hashlib, pathlib, sys; from figures.running.workers import stop_at_signals; stop_at_signals('Stopped.')\n"
        "pathlib.Path(sys.argv[1]).touch(); hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"
    )
    run = started(tmp_path, "-c", program, str(tmp_path / "ready"))
    wait_until((tmp_path / "ready").exists)
    time.sleep(0.2)
    begin = time.monotonic()
    run.terminate()
    assert run.wait(20.0) == 143
    assert time.monotonic() - begin < 2.0
    assert errors(tmp_path) == "\nStopped.\n"


def finished(folder):
    return {path.name: path.read_bytes() for path in (folder / "cells").iterdir()}


def check_kills(folder, n_kills, rng):
    """Kill a run at random moments; what it keeps is whole, and in the end the cells are those of a run in one go."""
    folder.mkdir()
    clean = start(folder, 0.0)
    assert clean.wait(120.0) == 0, errors(folder)
    whole = finished(folder)
    times = []
    for path in (folder / "cells").iterdir():
        path.unlink()
    for k in range(n_kills):
        for path in folder.glob("pid-*"):
            path.unlink()
        run = start(folder, 0.0)
        wait_until(lambda: processes(folder) or run.poll() is not None)  # noqa: B023
        time.sleep(float(rng.uniform(0, 1.5)))
        begin = time.monotonic()
        os.kill(run.pid, (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[k % 3])
        run.wait(20.0)
        times.append(time.monotonic() - begin)
        wait_until(lambda: not any(runs(pid) for pid in processes(folder)), 5.0)
        for path in (folder / "cells").glob("[!.]*"):
            assert path.read_bytes() == whole[path.name]
            if rng.random() < 0.5:
                path.unlink()
    last = start(folder, 0.0)
    assert last.wait(120.0) == 0, errors(folder)
    assert finished(folder) == whole
    return times


@linux
def test_a_run_that_was_killed_twice_gives_the_same_cells_in_the_end(tmp_path):
    check_kills(tmp_path / "run", 2, np.random.default_rng(1))


@linux
@pytest.mark.slow
def test_a_run_that_was_killed_fifty_times_gives_the_same_cells_in_the_end(tmp_path):
    times = check_kills(tmp_path / "run", 50, np.random.default_rng(2))
    print(f"seconds until a killed run had ended: largest {max(times):.2f}")


def test_partial_files_of_killed_runs_are_removed_and_those_in_use_are_not(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from theory.base.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as file: file.write(b'half'); file.flush(); os._exit(9)"
    )
    killed = tmp_path / "killed.npz"
    subprocess.run([sys.executable, "-c", program, str(killed)], cwd=ROOT, check=False)
    (left,) = tmp_path.iterdir()
    assert re.fullmatch(r"\.killed\.npz\.[0-9a-f]{8}\.partial", left.name)
    with whole_file(tmp_path / "used.npz") as file:
        file.write(b"whole")
        assert remove_partial_files(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["used.npz"]
    assert remove_partial_files(tmp_path / "nothing here") == 0
