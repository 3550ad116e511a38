"""What onnxruntime's CUDA provider stands on: the right wheel, a driver, a GPU, and CUDA's and cuDNN's libraries.

Each piece is looked for by itself, so that the one that is missing can be named, with the line that brings it. Libraries
count wherever the system finds them or a Python package has them: PyTorch brings the same ones.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from onnxconv.runtimes.install import UNINSTALL, conflicts
from onnxconv.runtimes.protocol import RuntimeAbsent

__all__ = ["CUDA", "Driver", "Library", "built_for", "demand_cuda", "driver", "libraries", "pieces"]

CUDA = "CUDAExecutionProvider"

WHEEL = "pip install 'onnxruntime-gpu[cuda,cudnn]'"
"""Brings the provider, and CUDA's and cuDNN's libraries as packages."""

OLDER_WHEEL = "pip install 'onnxruntime-gpu[cuda,cudnn]<1.27'"
"""The last that is built for CUDA 12: onnxruntime-gpu 1.26 asks for libraries of CUDA 12, 1.30 for those of CUDA 13."""

DRIVER = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"

LOADABLE = (1, 29)
"""Earlier providers may die when they are loaded before onnxruntime does so itself: a global of theirs asks it for its host. That
of 1.31.1 does not: with empty libraries in the place of CUDA's, sessions then went as far as without."""

NAME_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Library:
    """A shared library, what people call it, and what brings it. `always`: nothing works without it."""

    file: str
    name: str
    fix: str
    always: bool = False


@dataclass(frozen=True, slots=True)
class Driver:
    """The newest CUDA that the driver serves, as (major, minor), and the names of its GPUs."""

    serves: tuple[int, int]
    gpus: tuple[str, ...]

    def __str__(self) -> str:
        return f"serves CUDA {_dotted(self.serves)}, on {', '.join(self.gpus)}"


def libraries(cuda: int) -> tuple[Library, ...]:
    """What a provider built for this major version of CUDA loads; from 13 on NVIDIA's packages have no suffix (but cuDNN's).

    Names as on Linux; there are none for Windows, where libraries are named otherwise.
    """
    if os.name == "nt":
        return ()
    suffix, fft = ("", 12) if cuda >= 13 else (f"-cu{cuda}", 11)
    toolkit = ("cuda-runtime", "cublas", "cuda-nvrtc")
    runtime, blas, compiler = (f"pip install 'nvidia-{name}{suffix}~={cuda}.0'" for name in toolkit)
    return (
        Library(f"libcudart.so.{cuda}", "the CUDA runtime", runtime, always=True),
        Library(f"libcublasLt.so.{cuda}", "cuBLASLt", blas, always=True),
        Library(f"libcublas.so.{cuda}", "cuBLAS", blas, always=True),
        Library(f"libnvrtc.so.{cuda}", "NVRTC", compiler),
        Library(f"libcufft.so.{fft}", "cuFFT", f"pip install 'nvidia-cufft{suffix}~={fft}.0'"),
        Library("libcurand.so.10", "cuRAND", f"pip install 'nvidia-curand{suffix}~=10.0'"),
        Library("libcudnn.so.9", "cuDNN", f"pip install 'nvidia-cudnn-cu{cuda}~=9.0'", always=True),
    )


def built_for(ort: Any) -> tuple[int, int] | None:
    """The version of CUDA that a wheel of onnxruntime was built for; None where it does not say, as those for CPUs."""
    major, _, minor = str(getattr(ort, "cuda_version", "") or "").partition(".")
    return (int(major), int(minor.partition(".")[0] or 0)) if major.isdigit() else None


def _release(ort: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in str(ort.__version__).split(".")[:2] if part.isdigit())


def demand_cuda(ort: Any) -> None:
    """Load all that the provider needs into this process. Raises `RuntimeAbsent` naming the first piece that is missing."""
    _demand_wheel(ort)
    _demand_pair(ort, driver())
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    _demand_libraries(ort)
    if CUDA not in ort.get_available_providers():
        raise RuntimeAbsent(f"{ort.package_name} {ort.__version__} could not register {CUDA}", WHEEL)


def pieces() -> Iterator[tuple[str, str, str]]:
    """Each piece, what was found, and what to do where it is missing (else empty); what needs another one is left out."""
    try:
        import onnxruntime as ort
    except Exception as error:  # a broken binary raises OSError, AttributeError, RuntimeError, …
        yield "CUDA provider", f"onnxruntime cannot be imported: {' '.join(str(error).split())}", WHEEL
        return
    wheel = f"{getattr(ort, 'package_name', 'onnxruntime')} {ort.__version__}"
    wanted = built_for(ort)
    told = f"{wheel}, built for CUDA {_dotted(wanted)}"
    yield _piece("CUDA provider", lambda: _demand_wheel(ort), told)
    try:
        found = driver()
    except RuntimeAbsent as absent:
        yield "NVIDIA driver", absent.reason, absent.fix
    else:
        yield _piece("NVIDIA driver", lambda: _demand_pair(ort, found), str(found))
    for library in libraries(wanted[0]) if wanted else ():
        reason = loaded(library.file)
        yield library.name, reason or library.file, library.fix if reason else ""


def _piece(subject: str, demand: Callable[[], None], told: str) -> tuple[str, str, str]:
    try:
        demand()
    except RuntimeAbsent as absent:
        return subject, absent.reason, absent.fix
    return subject, told, ""


def _dotted(version: tuple[int, int] | None) -> str:
    return ".".join(map(str, version)) if version else "of a version that it does not say"


def _demand_wheel(ort: Any) -> None:
    """The module onnxruntime that was imported has the provider, and no other package has overwritten parts of it."""
    if CUDA in ort.get_available_providers():
        return
    for found in conflicts():
        raise RuntimeAbsent(f"{found.what}, and what is left of them has no {CUDA}", found.fix)
    if not _provider(ort, "cuda").exists():
        package = getattr(ort, "package_name", "onnxruntime")
        raise RuntimeAbsent(f"{package} {ort.__version__} has no {CUDA}", f"{UNINSTALL} && {WHEEL}")


def driver() -> Driver:
    """NVIDIA's driver. Raises `RuntimeAbsent` where there is none, or no GPU for it."""
    try:
        library = ctypes.CDLL(DRIVER)
    except OSError as error:
        fix = "install the GPU's driver; pip cannot"
        raise RuntimeAbsent(f"NVIDIA's driver is not installed ({DRIVER} cannot be loaded)", fix) from error
    if code := library.cuInit(0):
        raise RuntimeAbsent(f"NVIDIA's driver finds no GPU that it can use (cuInit: error {code})", "see nvidia-smi")
    version, count = ctypes.c_int(), ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(version))
    library.cuDeviceGetCount(ctypes.byref(count))
    names = []
    for device in range(count.value):
        name = ctypes.create_string_buffer(NAME_LENGTH)
        library.cuDeviceGetName(name, NAME_LENGTH, device)
        names.append(name.value.decode(errors="replace"))
    return Driver((version.value // 1000, version.value % 1000 // 10), tuple(names))


def _demand_pair(ort: Any, found: Driver) -> None:
    """The wheel is built for no newer major version of CUDA than the driver serves."""
    wanted = built_for(ort)
    if wanted is not None and wanted[0] > found.serves[0]:
        what = f"NVIDIA's driver serves CUDA {_dotted(found.serves)}"
        what += f", and this onnxruntime-gpu is built for CUDA {_dotted(wanted)}"
        older = f", or {UNINSTALL} && {OLDER_WHEEL}" if found.serves[0] == 12 else ""
        raise RuntimeAbsent(what, f"update the driver{older}")


def _demand_libraries(ort: Any) -> None:
    """All that the provider's own libraries are linked to, and what it loads by itself, can be loaded."""
    wanted = built_for(ort)
    known = libraries(wanted[0]) if wanted else ()
    reasons = {library: loaded(library.file) for library in known}
    for part in ("shared", "cuda") if _release(ort) >= LOADABLE else ():
        file = _provider(ort, part)
        if file.exists() and (reason := loaded(str(file))):
            _refuse(file.name, reason, known)
    for library, reason in reasons.items():
        if reason and library.always:
            raise RuntimeAbsent(f"{library.name} is missing: {reason}", library.fix)


def _refuse(needed_by: str, reason: str, known: tuple[Library, ...]) -> NoReturn:
    """Raise `RuntimeAbsent` for a library that could not be loaded, naming the one that it lacks."""
    file = reason.partition(":")[0]
    if "cannot open shared object file" not in reason:
        raise RuntimeAbsent(f"{needed_by} cannot be loaded: {reason}", WHEEL)
    library = next((one for one in known if one.file == file), Library(file, "", WHEEL))
    name = f"{library.name} ({file})" if library.name else file
    raise RuntimeAbsent(f"{name} cannot be loaded; {needed_by} needs it", library.fix)


def loaded(library: str) -> str:
    """Load a shared library by its name or path, from a package where the system does not find it; why not, if not."""
    reason = ""
    for place in (library, *map(str, located(library))):
        try:
            ctypes.CDLL(place, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            reason = str(error)
        else:
            return ""
    return reason


def located(library: str) -> Iterator[Path]:
    """A library within NVIDIA's packages, wherever they lie.

    `preload_dlls` of onnxruntime 1.32 looks beside its own package alone, and the two may be in different folders.
    """
    found = importlib.util.find_spec("nvidia")
    for folder in (found.submodule_search_locations or ()) if found else ():
        yield from sorted(Path(folder).glob(f"*/lib/{Path(library).name}"))


def _provider(ort: Any, part: str) -> Path:
    prefix, suffix = ("", ".dll") if os.name == "nt" else ("lib", ".so")
    return Path(ort.__file__).parent / "capi" / f"{prefix}onnxruntime_providers_{part}{suffix}"
