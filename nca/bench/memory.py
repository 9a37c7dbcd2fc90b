"""The most memory that a computation holds, on a GPU or of a process, as torch and Linux count it."""

import torch

from nca.support import processes


def held(device: torch.device) -> int:
    """Bytes that are held now, freed memory not among them."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    processes.release_freed()
    return processes.memory_of_process("VmRSS")


def forget_peak(device: torch.device) -> None:
    """Let :func:`peak` begin anew at what is held now."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        processes.forget_peak()


def peak(device: torch.device) -> int:
    """The most bytes that were held since the start or :func:`forget_peak`."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else processes.memory_of_process("VmHWM")
