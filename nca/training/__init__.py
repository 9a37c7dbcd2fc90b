"""Training: MSE, Adam, halving, stopping, many initialisations at once (Eqs. 1 and 3, Sec. 4.1)."""

from nca.training.baseline import static_gain
from nca.training.checkpoint import Checkpoint
from nca.training.ensemble import mean_squared_error
from nca.training.loop import train
from nca.training.schedule import Progress, Schedule
from nca.training.trained import Trained, load_ensemble, load_trained

__all__ = [
    "Checkpoint",
    "Progress",
    "Schedule",
    "Trained",
    "load_ensemble",
    "load_trained",
    "mean_squared_error",
    "static_gain",
    "train",
]
