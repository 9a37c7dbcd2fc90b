"""Optional parts of the package: where what one needs is not installed, a sentence says how to install it."""

from importlib.util import find_spec

from nca.errors import MissingExtraError


def require(extra: str, *packages: str) -> None:
    """Check that the packages of an extra of pyproject.toml can be imported.

    Args:
        extra: `data`, `sweeps`, `look` or `book`.
        packages: top-level names, as they are imported.

    Raises:
        MissingExtraError: names those that are missing, and the extra that brings them.
    """
    if missing := [package for package in packages if find_spec(package) is None]:
        raise MissingExtraError(
            f"This part of nca needs {', '.join(missing)}, not installed here: run `pip install 'nca[{extra}]'`."
        )
