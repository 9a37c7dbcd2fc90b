"""Where runs are executed: threads of this process by default, or an existing Dask cluster by its address."""

import contextlib
import logging
import socket
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nca.errors import RunError

if TYPE_CHECKING:
    from distributed import Client

# what Dask keeps about tasks gone by, diaries and a profile, would otherwise grow with finished runs for a long time,
# and what it asks the system twice a second takes a twentieth of a core
_QUIET = {
    "distributed.admin.low-level-log-length": 1000,
    "distributed.admin.log-length": 100,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
}
_LOOPBACK = "127.0.0.1:0"
_CONNECT = 20


@contextlib.contextmanager
def connected(workers: int | None, devices: Sequence[str], scheduler: str | None) -> Iterator["Client"]:
    """A client of the cluster that runs the sweep.

    Locally, workers are threads of this process, since every kernel is a process of its own; with `devices` there is
    one worker of one thread for each.

    Raises:
        RunError: Nothing answers at `scheduler`, or it wants TLS and there is no certificate.
    """
    import dask
    from distributed import Client, LocalCluster

    if scheduler:
        with _client(scheduler) as client:
            yield client
        return
    with (
        dask.config.set(_QUIET),
        LocalCluster(
            n_workers=len(devices) or 1,
            threads_per_worker=1 if devices else workers or cores(),
            processes=False,
            memory_limit=0,  # kernels hold the memory, in processes of their own
            dashboard_address=_LOOPBACK,
            worker_dashboard_address=_LOOPBACK,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _client(scheduler: str) -> "Client":
    from distributed import Client
    from distributed.comm.addressing import parse_address, parse_host_port
    from distributed.security import Security

    try:
        # a client keeps trying, and then is slow to give up: see first that the address is one and somebody listens
        protocol, place = parse_address(scheduler)
        socket.create_connection(parse_host_port(place), timeout=_CONNECT).close()
        if protocol == "tls" and not Security().get_connection_args("client").get("ssl_context"):
            raise RunError(
                f"{scheduler} needs certificates, and none are set here: set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
                "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY to their files"
            )
        return Client(scheduler, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RunError(f"no Dask scheduler answers at {scheduler} ({error}); see `dask scheduler`") from None


def cores() -> int:
    """The cores that this process may use."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


class Capacity:
    """How many tasks keep a cluster busy: one a slot, as many again that start as soon as one is free, and two more.

    The two let a cluster that grows with its load see some when it has no worker yet.
    """

    def __init__(self, client: "Client", glance: float = 2.0) -> None:
        self._client, self._glance = client, glance
        self._until, self._tasks = 0.0, 1

    def __call__(self) -> int:
        """The number, looked up again every few seconds, since workers come and go."""
        if time.monotonic() > self._until:
            self._tasks = 2 * sum(self._client.ncores().values()) + 2
            self._until = time.monotonic() + self._glance
        return self._tasks
