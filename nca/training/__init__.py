"""Training: MSE, Adam, halving, stopping, many initialisations at once (Eqs. 1 and 3, Sec. 4.1)."""

from nca.training.baseline import static_gain
from nca.training.checkpoint import Trained, load_trained
from nca.training.loop import mean_squared_error, train
from nca.training.schedule import Progress, Schedule

__all__ = ["Progress", "Schedule", "Trained", "load_trained", "mean_squared_error", "static_gain", "train"]
