"""Training: MSE, Adam, halving, stopping, many initialisations at once (Eqs. 1 and 3, Sec. 4.1)."""

from nca.training.baseline import static_gain
from nca.training.checkpoint import Checkpoint, checkpoints_beside
from nca.training.loop import train
from nca.training.published import Published, Spleeter, fetch_spleeter
from nca.training.schedule import History, Schedule
from nca.training.stack import mean_squared_error
from nca.training.trained import Networks, Trained, find_networks, load_ensemble, load_trained, pretrained

__all__ = [
    "Checkpoint",
    "History",
    "Networks",
    "Published",
    "Schedule",
    "Spleeter",
    "Trained",
    "checkpoints_beside",
    "fetch_spleeter",
    "find_networks",
    "load_ensemble",
    "load_trained",
    "mean_squared_error",
    "pretrained",
    "static_gain",
    "train",
]
