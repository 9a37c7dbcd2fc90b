"""Spectra: the STFT geometry, magnitudes, per-band standardisation and the store on disk (Sec. 4.1)."""

from nca.spectra.building import build_store, magnitudes
from nca.spectra.geometry import PROFILES, Geometry, profile
from nca.spectra.scale import band_deviation
from nca.spectra.segments import Analysis, Segment, analyse, segments
from nca.spectra.store import SpectrogramStore, open_store

__all__ = [
    "PROFILES",
    "Analysis",
    "Geometry",
    "Segment",
    "SpectrogramStore",
    "analyse",
    "band_deviation",
    "build_store",
    "magnitudes",
    "open_store",
    "profile",
    "segments",
]
