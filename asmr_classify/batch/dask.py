"""Work on a Dask cluster, see :mod:`asmr_classify.batch.engine`.

Dask Distributed moves batches to workers, and sends what was with a worker that died to another.
The model goes to each worker once, by a plugin of the cluster's, also to those that join later.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import signal
import time
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from asmr_classify.batch.bench import check_order, dismiss, do_batch
from asmr_classify.batch.pool import count_cores
from asmr_classify.errors import AsmrClassifyError, MissingExtraError, UsageError
from asmr_classify.version import own_version

try:
    from distributed import Client, LocalCluster, Security, WorkerPlugin, get_worker
    from distributed.comm.core import connect as open_comm
    from distributed.utils import LoopRunner
except ImportError as exc:
    raise MissingExtraError(
        "to work on a cluster takes Dask Distributed: pip install 'asmr-classify[dask]'"
    ) from exc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asmr_classify.batch.bench import Done, Order
    from asmr_classify.batch.isolate import Errand

logger = logging.getLogger(__name__)

LOCAL = "local"
"""Stands for a cluster on this machine."""

ORDER_TRIES = 3
"""So often an order is given to all workers, where one of them goes meanwhile."""

CONNECT_SECONDS = 8
"""Whoever does not answer for so long is not there."""

TRIMMING = "MALLOC_TRIM_THRESHOLD_"
"""By this Dask tells its workers to give each freed piece of memory back. The processes that they
start to read recordings would inherit it, and take a fifth longer for small ones."""

WORKER_SECONDS = 30.0
"""A cluster of this machine that has had no worker for so long will have none again."""

COUNT_SECONDS = 2.0
"""Seconds for which the number of workers is taken to be what it was."""


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """Connect to a cluster, or start one.

    Parameters
    ----------
    address : str
        Of a scheduler (``tcp://host:8786``), the path of a scheduler file, or ``local`` for a
        cluster of this machine's cores, which ends with the connection.

    Yields
    ------
    distributed.Client

    Raises
    ------
    UsageError
        If it is neither an address nor a file.
    AsmrClassifyError
        If nobody answers there.
    """
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # it is told as an error
    with ExitStack() as stack:
        if address == LOCAL:
            yield stack.enter_context(Client(stack.enter_context(start_local(count_cores()))))
            return
        if "://" not in address:
            address = _address_in(address)
        started = time.monotonic()
        try:
            # A client waits without end for whoever takes the connection and says nothing.
            asyncio.run(_knock(address))
            left = max(1, CONNECT_SECONDS - (time.monotonic() - started))
            client = Client(address, timeout=left, set_as_default=False)
        except Exception as exc:  # whatever else listens there may say anything
            raise AsmrClassifyError(
                f"no Dask scheduler answers at {address} within {CONNECT_SECONDS} s "
                f"({str(exc) or type(exc).__name__}); check the address, that dask scheduler runs "
                "there, and for tls:// that Dask is configured with the certificates"
            ) from exc
        yield stack.enter_context(client)


def _address_in(place: str) -> str:
    """Read the address of a scheduler from the file that it wrote."""
    if not Path(place).is_file():
        raise UsageError(
            f"--dask {place}: no address such as tcp://host:8786, no scheduler file, and not local"
        )
    try:
        return str(json.loads(Path(place).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise UsageError(
            f"--dask {place}: is no scheduler file; name that which "
            "'dask scheduler --scheduler-file' has written"
        ) from exc


async def _knock(address: str) -> None:
    """Look whether whoever listens speaks as a scheduler does."""
    how = Security().get_connection_args("client")
    opening = open_comm(address, timeout=CONNECT_SECONDS, **how)
    comm = await asyncio.wait_for(opening, CONNECT_SECONDS)
    await comm.close()


def start_local(n_workers: int) -> LocalCluster:
    """Start a cluster on this machine, which replaces workers that do not even start again.

    A terminal's interrupt is for the starting process only, which lets workers finish what is at
    hand: they are started by a thread that hears of none, and inherit that.
    """
    cluster = LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        loop=_start_deaf_loop(),
    )
    cluster.adapt(minimum=n_workers, maximum=n_workers)
    return cluster


def _start_deaf_loop() -> Any:
    runner = LoopRunner()
    if not hasattr(signal, "pthread_sigmask"):  # Windows, where workers are in no terminal's group
        runner.start()
        return runner.loop
    resource_tracker.ensure_running()  # which would end the deafness of who starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        runner.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return runner.loop


class DaskEngine:
    """Works on a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
        Left open.

    Raises
    ------
    UsageError
        If it is asynchronous.
    """

    def __init__(self, client: Any) -> None:
        if client.asynchronous:
            raise UsageError(
                "executor: an asynchronous Dask client gives nothing to wait for; give one without "
                "asynchronous=True"
            )
        self._client = client
        self._plugin: Any = None
        self._n_workers, self._counted = 0, -COUNT_SECONDS
        self._seen = time.monotonic()
        self._n_sent = 0

    def begin(self, order: Order[Any]) -> None:
        """Give the order to each worker."""
        self._plugin = _Brought(order)
        try:
            self._tell_workers()
        except UsageError:
            raise
        except Exception as exc:
            raise AsmrClassifyError(
                f"a worker of the cluster cannot take the model ({type(exc).__name__}: {exc}); "
                f"install asmr-classify {own_version()} on all its machines"
            ) from exc

    def _tell_workers(self) -> None:
        """Tell all; again if one goes just then, as those of an adaptive cluster do."""
        for _ in range(ORDER_TRIES - 1):
            with suppress(OSError):
                self._client.register_plugin(self._plugin)
                return
        self._client.register_plugin(self._plugin)

    def n_workers(self) -> int:
        """Count the threads of all workers."""
        now = time.monotonic()
        if now - self._counted >= COUNT_SECONDS:
            self._n_workers, self._counted = sum(self._client.nthreads().values()), now
            if self._n_workers:
                self._seen = now
        return self._n_workers

    def submit(self, batch: list[Errand[Any]], part: str | None) -> Future[Done[Any]]:
        """Send a batch; whichever worker gets it, and however often, writes the same part.

        It is sent as bytes: the scheduler keeps what came with its last thousand tasks, and a name
        as objects takes half a kilobyte there.
        """
        self._n_sent += 1
        sent = self._client.submit(
            _do_batch,
            self._plugin.name,
            pickle.dumps(batch),
            part,
            key=f"{self._plugin.name}-{self._n_sent}",
            pure=False,
        )
        return _Pledge(sent)

    def call_back(self, sent: Iterable[Future[Done[Any]]]) -> None:
        """Cancel what no worker has begun; the results of the rest would be lost by that."""
        waiting = {pledge.key: pledge for pledge in cast("Iterable[_Pledge]", sent)}
        with suppress(Exception):  # a scheduler that is gone is told of by check
            for at_work in self._client.call_stack(keys=[*waiting]).values():
                for key in at_work:
                    waiting.pop(key, None)
            for pledge in waiting.values():
                pledge.cancel()

    def check(self) -> None:
        """Look whether the scheduler is still there, and on this machine its workers.

        Those of other clusters may have to wait for their turn in a queue.
        """
        if self._client.status != "running":
            raise AsmrClassifyError(
                f"the Dask scheduler is gone ({self._client.status}); start it, and run the same "
                "command again: what was finished is kept"
            )

        gone_for = time.monotonic() - self._seen
        if gone_for > WORKER_SECONDS and isinstance(self._client.cluster, LocalCluster):
            raise AsmrClassifyError(
                f"the cluster of this machine has had no worker for {gone_for:.0f} s; free some "
                "memory, and run the same command again: what was finished is kept"
            )

    def end(self) -> None:
        """Let the workers forget the order."""
        with suppress(Exception):  # whoever is gone has forgotten it
            self._client.unregister_worker_plugin(self._plugin.name)


class _Pledge(Future["Done[Any]"]):
    """What a cluster will give, as a future of :mod:`concurrent.futures`."""

    def __init__(self, sent: Any) -> None:
        super().__init__()
        self.key: str = sent.key
        self._sent = sent
        sent.add_done_callback(self._settle)

    def _settle(self, sent: Any) -> None:
        """Take over what came; runs in a thread of Dask's."""
        try:
            self.set_result(sent.result())
        except BaseException as exc:  # noqa: BLE001 (raised again where it is asked for)
            self.set_exception(exc)

    def cancel(self) -> bool:
        """Call it back; it then comes as an error."""
        with suppress(Exception):
            self._sent.cancel()
        return True


class _Brought(WorkerPlugin):
    """Brings an order to each worker."""

    def __init__(self, order: Order[Any]) -> None:
        self.order = order
        self.name: str = f"asmr-classify-{order.id}"

    def setup(self, worker: Any) -> None:  # noqa: ARG002 (Dask's)
        check_order(self.order)
        os.environ.pop(TRIMMING, None)

    def teardown(self, worker: Any) -> None:  # noqa: ARG002 (Dask's)
        dismiss(self.order.id)


def _do_batch(plugin: str, batch: bytes, part: str | None) -> Done[Any]:
    """Work on a batch in a worker."""
    brought = cast("_Brought", get_worker().plugins[plugin])
    return do_batch(brought.order, pickle.loads(batch), part)  # noqa: S301 (as Dask itself does)
