"""The server of a session, from its start to its end."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING

from asmr_classify.errors import MissingExtraError, UsageError
from asmr_classify.review.guard import HOST, make_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.review.session import Session

logger = logging.getLogger(__name__)

PATIENCE = 2
"""Seconds for which the end waits for what is being sent."""

HEAD_START = 1.0
"""Seconds for which the address waits at most until the first stretch can be played: it is quickly
cut out of most recordings, but for those that must be decoded from their start."""


def check_installed() -> None:
    """Check that the page can be served.

    Raises
    ------
    MissingExtraError
        If a library is missing.
    """
    try:
        import starlette  # noqa: F401 (whether they can be loaded is the question)
        import uvicorn  # noqa: F401
    except ImportError as exc:
        raise MissingExtraError(
            "review needs Starlette and uvicorn, which are not installed: "
            "pip install 'asmr-classify[review]'"
        ) from exc


def listen(port: int) -> socket.socket:
    """Listen on this machine alone.

    Parameters
    ----------
    port : int
        0 for any that is free.

    Raises
    ------
    UsageError
        If another program has the port.
    """
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two programs have one port
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind((HOST, port))
        place.listen()
    except OSError as exc:
        place.close()
        taken = exc.errno in {errno.EADDRINUSE, errno.EACCES}
        reason = "is used by another program, or may not be used" if taken else f"({exc.strerror})"
        raise UsageError(
            f"--port {port}: {reason}; name another, or none for one that is free"
        ) from exc
    return place


def serve(
    session: Session,
    place: socket.socket,
    *,
    on_address: Callable[[str], None],
    work: Callable[[threading.Event], None] | None = None,
) -> None:
    """Serve a session until the page, or an interrupt, ends it.

    Parameters
    ----------
    session : Session
    place : socket.socket
        Of :func:`listen`; closed in the end.
    on_address : callable
        Told the address of the page once it can be asked for.
    work : callable, optional
        Done beside, once a page shows its first stretch; given an event that is set when it is to
        stop.
    """
    import uvicorn

    from asmr_classify.review.app import Review, make_app
    from asmr_classify.review.sound import Sounds

    port, token = place.getsockname()[1], make_token()
    stop = threading.Event()
    with place:
        review = Review(session, Sounds(), lambda: setattr(server, "should_exit", True))
        config = uvicorn.Config(
            make_app(review, token=token, port=port),
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=PATIENCE,
        )
        config.load()
        server = uvicorn.Server(config)
        ready = threading.Event()

        def beside() -> None:
            try:
                review.prepare()
            except Exception:
                logger.info("the first stretch was not made ahead", exc_info=True)
            ready.set()
            review.begun.wait()
            if work is not None and not stop.is_set():
                work(stop)

        worker = threading.Thread(target=beside)
        worker.start()
        try:
            ready.wait(HEAD_START)
            with server.capture_signals():  # an interrupt may come before its loop is there
                on_address(f"http://{HOST}:{port}/{token}/")
                server.run(sockets=[place])
        finally:
            stop.set()
            review.begun.set()
            worker.join()


def open_browser(address: str) -> bool:
    """Open the page; False where there is no browser with a window."""
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not has_display and not os.environ.get("BROWSER"):
        return False  # a browser in the terminal would take that over
    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False
