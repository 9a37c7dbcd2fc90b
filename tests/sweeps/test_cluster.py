"""An existing Dask cluster: an address that is none ends at once, and TLS works."""

import os
import subprocess
from pathlib import Path

import pytest
from sweeps.harness import HERE, cluster, run

TLS = "DASK_DISTRIBUTED__COMM__TLS__"


@pytest.mark.parametrize("address", ["garbage", "tcp://127.0.0.1:1", "tcp://nowhere.invalid:8786"])
def test_an_address_where_no_scheduler_is_ends_at_once_with_one_sentence(tmp_path: Path, address: str) -> None:
    code, output = run(tmp_path, HERE / "grid.yml", "--scheduler", address)
    assert (code, len(output.splitlines())) == (2, 1), output
    assert output.startswith(f"nca: no Dask scheduler answers at {address}")


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, str]:
    """The variables that name a certificate for everybody on the loopback interface, made here."""
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=dask -addext subjectAltName=IP:127.0.0.1"
    files = {"CERT": str(tmp_path / "own.pem"), "KEY": str(tmp_path / "own.key")}
    try:
        command = [*make.split(), "-out", files["CERT"], "-keyout", files["KEY"]]
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl here")
    own = {f"{TLS}{role}__{file}": path for role in ("SCHEDULER", "WORKER", "CLIENT") for file, path in files.items()}
    return own | {f"{TLS}CA_FILE": files["CERT"]}


def test_a_sweep_over_tls(tmp_path: Path, certificate: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in certificate.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "grid.yml").write_text(f"store: store\nstages: {{first: {{notebook: {HERE}/first.md}}}}\n")
    import dask

    dask.config.refresh()
    with cluster(tmp_path, workers=1, protocol="tls") as (address, _):
        assert address.startswith("tls://")
        code, output = run(tmp_path, "grid.yml", "--scheduler", address)
        assert code == 0, output
        without = {name: value for name, value in os.environ.items() if not name.startswith(TLS)}
        monkeypatch.setattr(os, "environ", without)
        code, output = run(tmp_path, "grid.yml", "--scheduler", address, "--set", "seed=1")
    assert (code, "needs certificates" in output, len(output.splitlines())) == (2, True, 1), output
    monkeypatch.undo()
    dask.config.refresh()
