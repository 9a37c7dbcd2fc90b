"""Neural couplings: what singing-voice separation networks learn, after Mimilakis et al. (2019).

The public names below are loaded when they are first asked for, so that the console command starts without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nca.couplings import (
        Couplings,
        compositional,
        equaliser,
        identity,
        l1_optimum,
        least_squares,
        linear_composition,
        load_matrices,
        ridge,
        save_matrices,
        student,
    )
    from nca.diagnostics import Diagnostics, as_table, diagnose, estimate
    from nca.explorer import explore, rerun
    from nca.files import read_json, write_json
    from nca.gathering import gather_couplings, gather_results, gather_trained, of_segment
    from nca.judging import judge
    from nca.listening import listening_views, voice_magnitudes
    from nca.mapping import frame_mappings, mean_jacobian, mean_mapping, offset_share, offsets
    from nca.metrics import (
        chance_tod_ratio,
        correlation,
        diagonal_profile,
        null_space_share,
        octave_profile,
        shuffled_tod_ratios,
        si_sdr,
        snr,
        tod_ratio,
    )
    from nca.models import DAE, MSSDAE, SkipFiltering, build
    from nca.recording import record_store, recorded_rows
    from nca.separation import score_songs, separation_scores, voice_of
    from nca.spectra import analyse, build_store, open_store, profile, segments
    from nca.strategies import STRATEGIES, by_strategy
    from nca.surveying import Case, drawn, song_segments, survey
    from nca.tables import beside_paper, summarise, write_tables
    from nca.tracks import digest, open_tracks, real_song
    from nca.training import Checkpoint, Schedule, Trained, load_ensemble, load_trained, static_gain, train
    from nca.trials import compare, solve

_HOMES = {
    "couplings": "Couplings compositional equaliser identity l1_optimum least_squares linear_composition load_matrices"
    " ridge save_matrices student",
    "diagnostics": "Diagnostics as_table diagnose estimate",
    "explorer": "explore rerun",
    "files": "read_json write_json",
    "gathering": "gather_couplings gather_results gather_trained of_segment",
    "judging": "judge",
    "listening": "listening_views voice_magnitudes",
    "mapping": "frame_mappings mean_jacobian mean_mapping offset_share offsets",
    "metrics": "chance_tod_ratio correlation diagonal_profile null_space_share octave_profile shuffled_tod_ratios"
    " si_sdr snr tod_ratio",
    "models": "DAE MSSDAE SkipFiltering build",
    "recording": "record_store recorded_rows",
    "separation": "score_songs separation_scores voice_of",
    "spectra": "analyse build_store open_store profile segments",
    "strategies": "STRATEGIES by_strategy",
    "surveying": "Case drawn song_segments survey",
    "tables": "beside_paper summarise write_tables",
    "tracks": "digest open_tracks real_song",
    "training": "Checkpoint Schedule Trained load_ensemble load_trained static_gain train",
    "trials": "compare solve",
}
_HOME = {name: f"nca.{module}" for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nca' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
