"""JupyterLab on the whole project: pages open in `notebooks`, results are in sight, and kernels start at the root."""

from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager


class RootKernels(AsyncMappingKernelManager):
    """Kernels that start in the server's folder, as papermill's do, and not in the folder of their notebook."""

    def cwd_for_path(self, path: str, **_: Any) -> str:
        """The folder in which the kernel of the notebook at `path` starts."""
        return str(self.root_dir)
