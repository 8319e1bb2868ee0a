"""When is a service not asked at all? After failures in a row, or many of late, for a while."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator

import grpc

from services.common import log
from services.common.client import UpstreamError
from services.layout import metrics

FAILURES_IN_A_ROW = 5
WINDOW = 20
FAILURES_IN_WINDOW = 10
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 1.0
"""Short: one call a second costs nothing, and what comes back should be found soon."""
FAIR_TIMEOUT_S = 0.02
"""A call that had less time says nothing about the service when it runs out."""

_CALLERS_FAULTS = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.CANCELLED,
    }
)


class NotAsked(UpstreamError):
    """A call that was not made."""

    def __init__(self, upstream: str, because: str) -> None:
        super().__init__(upstream, grpc.StatusCode.UNAVAILABLE, f"not asked: {because}")

    @property
    def reason(self) -> str:
        """Why not, such as "not asked: no features"."""
        return self.details


class Breaker:
    """Keeps a page from waiting for a service that fails: open, it lets one call through now and then.

    A call that ends well closes it. One that fails while it tries doubles the pause.
    """

    def __init__(self, upstream: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._upstream = upstream
        self._clock = clock
        self._latest: deque[bool] = deque(maxlen=WINDOW)
        """Of the latest calls, whether they failed."""
        self._row = 0
        self._pause_s = FIRST_PAUSE_S
        self._open_until_s: float | None = None
        """None while it is closed."""
        self._is_trying = False

    @property
    def is_open(self) -> bool:
        return self._open_until_s is not None

    @contextlib.contextmanager
    def watched(self, timeout_s: float) -> Iterator[None]:
        """Watches one call and the checks of its answer.

        Args:
            timeout_s: what the call may take.

        Raises:
            NotAsked: while it is open.
        """
        is_trial = self._admit()
        try:
            yield
        except UpstreamError as error:
            if isinstance(error, NotAsked) or error.code in _CALLERS_FAULTS:
                pass  # says nothing of the service
            elif error.code is grpc.StatusCode.DEADLINE_EXCEEDED and timeout_s < FAIR_TIMEOUT_S:
                pass
            else:
                self._failed()
            raise
        else:
            self._went_well()
        finally:
            if is_trial:
                self._is_trying = False

    def _admit(self) -> bool:
        """Whether the call is a trial of an open breaker."""
        if self._open_until_s is None:
            return False
        if self._is_trying or self._clock() < self._open_until_s:
            raise NotAsked(self._upstream, "it failed of late")
        self._is_trying = True
        return True

    def _went_well(self) -> None:
        self._latest.append(False)
        self._row = 0
        if self._open_until_s is not None:
            self._open_until_s, self._pause_s = None, FIRST_PAUSE_S
            self._latest.clear()
            metrics.OPEN_BREAKERS.labels(self._upstream).set(0)
            log.logger("layout").info("breaker_closed", upstream=self._upstream)

    def _failed(self) -> None:
        self._latest.append(True)
        self._row += 1
        if self._open_until_s is not None:
            if self._is_trying:
                self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
                self._open_until_s = self._clock() + self._pause_s
            return  # a call from before it opened
        if self._row >= FAILURES_IN_A_ROW or sum(self._latest) >= FAILURES_IN_WINDOW:
            self._open_until_s = self._clock() + self._pause_s
            metrics.OPEN_BREAKERS.labels(self._upstream).set(1)
            log.logger("layout").warning("breaker_opened", upstream=self._upstream, pause_s=self._pause_s)
