"""Children of `batchgen` without the half second of imports: a process that has them all forks one per call.

Each child is a process of its own with its own streams, environment and signals, killed by pid like any other. What
a child does not have is a fresh interpreter; start-up itself is tested with real ones.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

MOST_BYTES = 1 << 20
PRELOADED = ("aiohttp.web", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.WebPImagePlugin", "jinja2.sandbox")


class Child:
    """A running call, with the part of `subprocess.Popen` that tests use. The zygote's keeper waits for it."""

    def __init__(self, pid: int, status: socket.socket, out: int, err: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout = os.fdopen(out, encoding="utf-8")
        self.stderr = os.fdopen(err, encoding="utf-8")
        self._status = status

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._take(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. Raises subprocess.TimeoutExpired."""
        code = self._take(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read both streams to their ends, then wait. Raises subprocess.TimeoutExpired."""
        ends = time.monotonic() + (3600 if timeout is None else timeout)
        gathered: dict[io.TextIOWrapper, list[str]] = {self.stdout: [], self.stderr: []}
        with selectors.DefaultSelector() as selector:
            for stream in gathered:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, ends - time.monotonic()))
                if not ready:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
                for key, _ in ready:
                    piece = key.fileobj.buffer.read1(1 << 16)
                    gathered[key.fileobj].append(piece)
                    if not piece:
                        selector.unregister(key.fileobj)
        self.wait(max(0.1, ends - time.monotonic()))
        out, err = (b"".join(gathered[stream]).decode() for stream in (self.stdout, self.stderr))
        self.stdout.close()
        self.stderr.close()
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal to a child that still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def _take(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._status.settimeout(timeout if timeout is None or timeout > 0 else 0.000001)
            with contextlib.suppress(TimeoutError, BlockingIOError):
                said = self._status.recv(64)
                self.returncode = int(said) if said else -signal.SIGKILL
                self._status.close()
        return self.returncode


class Zygote:
    """The process that forks. One per process that asks for children; it ends when that one does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(theirs.fileno())],
            env=dict(environment),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def start(self, arguments: list[str], *, cwd: Path, env: Mapping[str, str]) -> Child:
        """Fork a child that runs `batchgen ARGUMENTS`."""
        status, keeper_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        out, child_out = os.pipe()
        err, child_err = os.pipe()
        asked = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": dict(env)}).encode()
        socket.send_fds(self._ours, [asked], [keeper_end.fileno(), child_out, child_err])
        keeper_end.close()
        os.close(child_out)
        os.close(child_err)
        status.settimeout(30)
        return Child(int(status.recv(64)), status, out, err)


def _serve(asked_at: socket.socket) -> None:
    """Fork a keeper per request; the kernel reaps keepers."""
    for module in (*PRELOADED, "batchgen.sandbox.server"):
        importlib.import_module(module)
    cli = importlib.import_module("batchgen.cli")
    for found in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"batchgen.cli.{found.name}")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, descriptors, _, _ = socket.recv_fds(asked_at, MOST_BYTES, 3)
        if not data:
            return
        if os.fork() == 0:
            _keep(json.loads(data), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _keep(asked: dict, status: int, out: int, err: int) -> None:
    """Fork the child, tell its pid, wait for it, tell its exit code as subprocess does."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(status)
        os._exit(_be_batchgen(asked, out, err))
    os.close(out)
    os.close(err)
    os.write(status, str(pid).encode())
    _, ended = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        os.write(status, str(os.waitstatus_to_exitcode(ended)).encode())
    os._exit(0)


def _be_batchgen(asked: dict, out: int, err: int) -> int:
    """What `python -m batchgen` does from here on."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.closerange(3, 64)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["batchgen", *asked["arguments"]]
    for name, number in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115  the streams of a process last as long as it
    try:
        runpy.run_module("batchgen", run_name="__main__", alter_sys=True)
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1 if ending.code else 0
    else:
        code = 0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return code


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
