"""Songs as they come: one folder a song with an audio file a source, or one MUSDB18 `.stem.mp4` a song.

A song's folder holds one of `LAYOUTS`, each source as WAV, FLAC, OGG or MP3 under its name in letters of any case. All
files of a song have one rate, length and number of channels, whichever these are; a source is the mean of its
channels. What is not given follows from what is: the accompaniment is the mixture without the voice, the mixture the
sum of accompaniment and voice.
"""

from pathlib import Path

import soundfile

from nca.data import musdb18
from nca.data.audio import check_alike, is_audio, read_mono
from nca.data.track import SongFiles, Track
from nca.errors import DataError

PARTS = ("drums", "bass", "other")
LAYOUTS = (
    ("mixture", *PARTS, "vocals"),
    ("mixture", "accompaniment", "vocals"),
    ("accompaniment", "vocals"),
    ("mixture", "vocals"),
)


def find(root: Path, subset: str) -> tuple[list[SongFiles], list[Path]]:
    """The songs of one subset by name, and the folders passed over because no file in them is audio.

    Raises:
        DataError: where there are none, or songs in both forms.
    """
    folder = root / subset
    if not folder.is_dir():
        raise DataError(f"{folder} does not exist: the root of a data set holds the folders train and test.")
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    stems = [path for path in entries if path.is_file() and path.name.lower().endswith(musdb18.SUFFIX)]
    audio = {path: [*filter(is_audio, sorted(path.iterdir()))] for path in entries if path.is_dir()}
    folders = [_folder_song(path, files) for path, files in audio.items() if files]
    if not stems and not folders:
        raise DataError(f"{folder} holds no songs: put *{musdb18.SUFFIX} files or folders of audio files there.")
    if stems and folders:
        raise DataError(f"{folder} holds both *{musdb18.SUFFIX} files and folders: keep the songs in one form.")
    return [musdb18.stems_song(path) for path in stems] or folders, [path for path in audio if not audio[path]]


def check(song: SongFiles) -> None:
    """Check a song by its files' names and headers.

    Raises:
        DataError: for a source that is missing or there twice, and a file that is broken or unlike the first.
    """
    if song.path.is_file():
        musdb18.check(song)
        return
    names = [_source(path) for path in song.files]
    for source in _layout(names):
        files = [path for path, name in zip(song.files, names, strict=True) if name == source]
        if not files:
            choices = "; or ".join(", ".join(layout) for layout in LAYOUTS)
            raise DataError(f"{song.path / source}.wav is missing: a song needs {choices} (WAV, FLAC, OGG or MP3).")
        if len(files) > 1:
            raise DataError(f"{files[0]} and {files[1].name} are the same source: keep one of them.")
    check_alike(song.files, ("samplerate", "frames", "channels"), names[0])


def decode(song: SongFiles, subset: str) -> Track:
    """Read a song; raises `DataError` where its audio is broken."""
    if song.path.is_file():
        return musdb18.decode(song, subset)
    stems = {_source(path): read_mono(path) for path in song.files}
    mixture = stems.pop("mixture", None)
    if mixture is None:
        mixture = stems["accompaniment"] + stems["vocals"]
    elif list(stems) == ["vocals"]:
        stems = {"accompaniment": mixture - stems["vocals"], **stems}
    return Track(song.name, subset, soundfile.info(song.files[0]).samplerate, mixture, stems)


def _folder_song(folder: Path, audio: list[Path]) -> SongFiles:
    """A folder's song, of the files that its layout names, in their order there."""
    layout = _layout([_source(path) for path in audio])
    files = [path for source in layout for path in audio if _source(path) == source]
    return SongFiles(folder.name, folder, tuple(files))


def _layout(names: list[str]) -> tuple[str, ...]:
    """The layout that the names are of: the first that is complete, all stems where there is one of them."""
    if set(PARTS) & set(names):
        return LAYOUTS[0]
    return next((layout for layout in LAYOUTS if set(layout) <= set(names)), LAYOUTS[-1])


def _source(path: Path) -> str:
    return path.stem.lower()
