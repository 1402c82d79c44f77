"""A Python process beside this one, which runs functions of installed modules.

`multiprocessing` would import the caller's main module there once more: a script without the guard against that would
run twice. Tasks and answers go through pipes, pickled; a worker ends when there is nobody left to ask it.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Any, TypeVar, cast

Task = TypeVar("Task")
Result = TypeVar("Result")

_BEGIN = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer);"
    "from descheduler_profiling.worker import serve; serve()"
)
_ONE_CORE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class WorkerLost(Exception):
    """The process is gone, for want of memory as a rule; what it was asked for is not done."""


class Worker:
    """Raises OSError where no process can be started."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BEGIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ONE_CORE},
        )
        self._send(sys.path)

    def run(self, function: Callable[[Task], Result], task: Task) -> Result:
        """The function's result, or what it raises. Raises WorkerLost."""
        self._send((function, task))
        try:
            done, answer = pickle.load(cast("IO[bytes]", self._process.stdout))
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise WorkerLost from error
        if not done:
            raise answer
        return cast("Result", answer)

    def end(self, *, at_once: bool) -> None:
        if at_once:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                cast("IO[bytes]", pipe).close()
            except OSError:  # what is left in it has no reader any more
                continue
        self._process.wait()

    def _send(self, what: Any) -> None:
        pipe = cast("IO[bytes]", self._process.stdin)
        try:
            pickle.dump(what, pipe, protocol=5)
            pipe.flush()
        except OSError as error:
            raise WorkerLost from error


def serve() -> None:
    """What the process does until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks decides when it is over
    tasks = sys.stdin.buffer
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what is printed is no answer
        while True:
            try:
                function, task = pickle.load(tasks)
            except EOFError:
                return
            try:
                answer = (True, function(task))
            except Exception as error:  # noqa: BLE001 - the asker's to judge
                answer = (False, error)
            pickle.dump(answer, answers, protocol=5)
            answers.flush()
