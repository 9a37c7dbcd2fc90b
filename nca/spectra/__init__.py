"""Spectra: the STFT geometry, magnitudes, per-band standardisation and the store on disk (Sec. 4.1)."""

from nca.spectra.building import build_store, magnitudes
from nca.spectra.geometry import PROFILES, Geometry, profile
from nca.spectra.scale import band_deviation
from nca.spectra.segments import RecordingSpectra, Segment, SongSpectra, analyse, segments
from nca.spectra.store import SpectrogramStore, open_store

__all__ = [
    "PROFILES",
    "Geometry",
    "RecordingSpectra",
    "Segment",
    "SongSpectra",
    "SpectrogramStore",
    "analyse",
    "band_deviation",
    "build_store",
    "magnitudes",
    "open_store",
    "profile",
    "segments",
]
