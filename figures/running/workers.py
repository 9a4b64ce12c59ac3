"""Worker processes that end with the run, and a run that stops at once.

A worker waits for work for ever, so one whose main process is gone would stay in memory. Each worker therefore ends
with its parent: on Linux the kernel kills it, and everywhere a thread waits for the parent's end. Workers take no
notice of Ctrl-C, which the terminal sends to all processes: the main process decides.

`stop_at_signals` makes INT and TERM end a run within two seconds, however long a cell takes: a thread kills the
workers, since waiting for their cells takes long. Files are complete or absent (`theory.base.files`), so nothing is
lost but unfinished cells. This module imports the standard library alone, so that signals are handled before the long
imports.
"""

import atexit
import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import util
from types import FrameType
from typing import Any

GRACE = 1.0
"""Seconds that the main process has for ending in order after a signal."""

STOPPING = (signal.SIGINT, signal.SIGTERM)
"""Signals that stop a run."""

_PR_SET_PDEATHSIG = 1


class Workers(ProcessPoolExecutor):
    """A pool of worker processes that end with this process, started afresh (`spawn`).

    Parameters
    ----------
    jobs : int
        Number of processes.
    """

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """As in any executor; processes are started here, without Ctrl-C."""
        with _without_interrupts():
            return super().submit(fn, *args, **kwargs)


def _end_with_parent() -> None:
    """In a worker: end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block INT, as processes that are started here inherit; one that arrives meanwhile is handled afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop_at_signals(sentence: str) -> None:
    """Let INT and TERM end this process within two seconds, with the exit codes 130 and 143.

    Python calls handlers in the main thread alone, and only between two of its instructions, which a long compiled call
    delays. So the number of the signal also goes through a socket to a thread, which kills the workers, and after
    `GRACE` seconds the process.

    Parameters
    ----------
    sentence : str
        Printed to the error output: what is kept, and how to go on.
    """
    said = threading.Lock()

    def say() -> None:
        if said.acquire(blocking=False):  # once
            with suppress(OSError):  # the terminal may be gone
                os.write(2, f"\n{sentence}\n".encode())

    def leave(number: int, _: FrameType | None) -> None:
        for one in STOPPING:
            signal.signal(one, signal.SIG_IGN)  # once is enough
        say()
        atexit.register(_end, 128 + number)
        raise SystemExit(128 + number)

    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_wait_for_signal, args=(receiver, sender, say), daemon=True).start()
    for number in STOPPING:
        signal.signal(number, leave)


def _end(code: int) -> None:
    """End without the interpreter's last collection of garbage, which takes seconds after much was compiled."""
    util._exit_function()  # type: ignore[attr-defined]  # multiprocessing's own end: it would run after this one, and returns its semaphores
    os._exit(code)


def _wait_for_signal(receiver: socket.socket, sender: socket.socket, say: Callable[[], None]) -> None:
    """In a thread of the main process; `sender` is an argument so that it is not closed."""
    number = 0
    while number not in STOPPING:
        number = receiver.recv(1)[0]
    say()
    for child in multiprocessing.active_children():
        child.kill()
    time.sleep(GRACE)
    os._exit(128 + number)
