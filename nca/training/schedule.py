"""When the learning rate is halved and when training stops (Sec. 4.1)."""

from dataclasses import dataclass, field

from nca.errors import ParameterError


@dataclass(frozen=True)
class Schedule:
    """The paper's training settings.

    Attributes:
        batch: frames a step.
        learning_rate: Adam's, at the start.
        betas: Adam's decay rates of the first and second moments.
        halve_after: epochs without improvement after which the learning rate is halved.
        stop_after: epochs without improvement after which training stops.
        tolerance: relative decrease of the loss that counts as improvement; 0 takes any decrease.
        epochs: the most passes over the data, or None for no limit (the paper's).
    """

    batch: int = 128
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    halve_after: int = 2
    stop_after: int = 4
    tolerance: float = 0.0
    epochs: int | None = None

    def __post_init__(self) -> None:
        for name in ("batch", "learning_rate", "halve_after", "stop_after"):
            if not getattr(self, name) > 0:
                raise ParameterError(f"{name} is {getattr(self, name)}; it must be above zero.")
        if self.epochs is not None and self.epochs < 1:
            raise ParameterError(f"epochs is {self.epochs}; give at least one, or none for no limit.")


@dataclass
class History:
    """The losses and learning rates of one initialisation, and where it stands in the schedule; updated once an epoch.

    Attributes:
        learning_rate: of the next epoch.
        best: lowest loss of an epoch so far.
        waited: epochs since then.
        losses: mean loss of each epoch.
        rates: learning rate of each epoch.
    """

    learning_rate: float
    best: float = float("inf")
    waited: int = 0
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def record(self, loss: float, schedule: Schedule) -> None:
        """Take in an epoch's mean loss; halve the rate where it is due."""
        self.losses.append(loss)
        self.rates.append(self.learning_rate)
        improved = loss < self.best * (1 - schedule.tolerance)
        self.waited = 0 if improved else self.waited + 1
        self.best = min(self.best, loss)
        if self.waited == schedule.halve_after:
            self.learning_rate /= 2

    def finished(self, schedule: Schedule) -> bool:
        """True once the loss has not improved for long enough, or the epochs are used up."""
        return self.waited >= schedule.stop_after or len(self.losses) == schedule.epochs
