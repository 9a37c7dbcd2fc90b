"""The errors a user can cause, each one sentence: what is wrong, where, and what to do about it."""


class NCAError(Exception):
    """Base of every named error; the console command prints it and exits with code 2."""


class DataError(NCAError):
    """A data set, a file or its content is missing, broken or does not fit."""


class ParameterError(NCAError, ValueError):
    """A parameter is unknown, of the wrong type or shape, or out of range."""


class SilentReferenceError(NCAError):
    """A ratio in dB was asked for against a reference without energy."""


class MemoryLimitError(NCAError):
    """Not even one problem fits into the memory of the device."""


class MissingExtraError(NCAError, ImportError):
    """A part of the package was asked for whose packages are not installed."""


class RunError(NCAError):
    """A notebook run, a sweep or its store cannot go on."""
