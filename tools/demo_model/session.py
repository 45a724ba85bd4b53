"""What both phases of training share: the clock, the lines that are printed, saving from time to time."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from .settings import Plan


@dataclass(frozen=True)
class Session:
    state: Path
    plan: Plan
    plan_name: str
    device: torch.device
    began: float  # of time.monotonic: when the process began
    deadline: float
    compile: bool
    preview: Path | None
    planned_minutes: float | None  # in place of the plan's
    finish: bool = False  # the planned time ends with this run

    @property
    def autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def compiled(self, function, dynamic: bool | None = None):
        return torch.compile(function, dynamic=dynamic) if self.compile else function

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


class Stop:
    """Set by SIGTERM and SIGINT: training saves and ends."""

    def __init__(self):
        self.wanted = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._set)

    def _set(self, *_):
        self.wanted = True


class Clock:
    """Seconds of training over all runs; the first steps of a run, which compile, do not count."""

    WARM_STEPS = 3

    def __init__(self, session: Session, seconds: float, planned_minutes: float):
        self._session, self._before = session, seconds
        self._planned = 60 * (session.planned_minutes or planned_minutes)
        self._began: float | None = None
        self._steps = 0
        self._said = time.monotonic()
        self._scenes = 0

    def stepped(self, scenes: int) -> None:
        self._steps += 1
        self._scenes += scenes
        if self._began is None and self._steps >= self.WARM_STEPS:
            self._session.synchronize()
            self._began = self._said = time.monotonic()
            self._scenes = 0
            if self._session.finish:
                self._planned = self._before + max(self._session.deadline - self._began, 1.0)
            say(f"started and compiled after {self._began - self._session.began:.0f} s")

    def pause(self, seconds: float) -> None:
        """Takes out time that went to something else than training."""
        if self._began is not None:
            self._began += seconds
            self._said += seconds

    @property
    def seconds(self) -> float:
        return self._before + (0.0 if self._began is None else time.monotonic() - self._began)

    @property
    def progress(self) -> float:
        return self.seconds / self._planned

    @property
    def over(self) -> bool:
        return self.progress >= 1 or time.monotonic() >= self._session.deadline

    def due(self, every: float = 10.0) -> float | None:
        """Scenes a second since the last time, when `every` seconds have passed."""
        now = time.monotonic()
        if self._began is None or now - self._said < every:
            return None
        rate = self._scenes / (now - self._said)
        self._said, self._scenes = now, 0
        return rate


def say(text: str) -> None:
    print(text, flush=True)
