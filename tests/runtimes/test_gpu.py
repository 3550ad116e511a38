"""What the CUDA provider lacks is named piece by piece. There is no GPU in these tests: only the absence of one."""

from __future__ import annotations

import _ctypes
import ctypes
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from onnxconv.errors import Diagnostic, Where
from onnxconv.runtimes import RuntimeAbsent, gpu


@pytest.fixture
def wheel(tmp_path: Path) -> SimpleNamespace:
    """An onnxruntime-gpu for CUDA 13 with the provider's library, which is empty."""
    (tmp_path / "capi").mkdir()
    (tmp_path / "capi" / "libonnxruntime_providers_cuda.so").touch()
    return SimpleNamespace(
        __version__="1.31.1",
        package_name="onnxruntime-gpu",
        cuda_version="13.0",
        __file__=str(tmp_path / "__init__.py"),
        get_available_providers=lambda: [gpu.CUDA],
    )


def served(monkeypatch: pytest.MonkeyPatch, major: int) -> None:
    monkeypatch.setattr(gpu, "driver", lambda: gpu.Driver((major, 4), ("a card",)))


def missing(monkeypatch: pytest.MonkeyPatch, *gone: str) -> None:
    """Every library can be loaded but those."""

    def load(path: str, **_: object) -> None:
        if Path(path).name in gone or ("providers_cuda" in path and gone):
            raise OSError(f"{gone[0]}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(gpu.ctypes, "CDLL", load)


def test_a_wheel_for_cpus(wheel: SimpleNamespace) -> None:
    (Path(wheel.__file__).parent / "capi" / "libonnxruntime_providers_cuda.so").unlink()
    wheel.get_available_providers = list
    with pytest.raises(RuntimeAbsent, match=r"onnxruntime-gpu 1\.31\.1 has no CUDAExecutionProvider") as caught:
        gpu.demand_cuda(wheel)
    assert caught.value.fix == f"{gpu.UNINSTALL} && pip install 'onnxruntime-gpu[cuda,cudnn]'"


def test_two_wheels_of_which_the_wrong_one_came_last(monkeypatch: pytest.MonkeyPatch, wheel: SimpleNamespace) -> None:
    """The GPU's library is still there; the module that would load it has been overwritten."""
    found = Diagnostic(Where(), "two", "a 1 and b 2 are installed together", "", "pip uninstall -y a b")
    monkeypatch.setattr(gpu, "conflicts", lambda: (found,))
    wheel.get_available_providers = list
    with pytest.raises(RuntimeAbsent, match="a 1 and b 2 are installed together, and what is left of them has no CUDA"):
        gpu.demand_cuda(wheel)


def test_no_driver_and_no_gpu(monkeypatch: pytest.MonkeyPatch, wheel: SimpleNamespace) -> None:
    missing(monkeypatch, "libcuda.so.1")
    with pytest.raises(RuntimeAbsent, match=r"driver is not installed \(libcuda.so.1 cannot be loaded\)"):
        gpu.demand_cuda(wheel)
    monkeypatch.setattr(gpu.ctypes, "CDLL", lambda name: SimpleNamespace(cuInit=lambda flags: 100 + flags))
    with pytest.raises(RuntimeAbsent, match=r"finds no GPU that it can use \(cuInit: error 100\)"):
        gpu.demand_cuda(wheel)


def test_a_driver_too_old_for_the_wheel(monkeypatch: pytest.MonkeyPatch, wheel: SimpleNamespace) -> None:
    served(monkeypatch, 12)
    words = r"driver serves CUDA 12\.4, and this onnxruntime-gpu is built for CUDA 13\.0"
    with pytest.raises(RuntimeAbsent, match=words) as caught:
        gpu.demand_cuda(wheel)
    assert caught.value.fix.endswith("pip install 'onnxruntime-gpu[cuda,cudnn]<1.27'")
    wheel.cuda_version = "12.8"
    missing(monkeypatch)
    gpu.demand_cuda(wheel)


@pytest.mark.parametrize(
    ("cuda", "file", "words", "fix"),
    [
        ("13.0", "libcudnn.so.9", "cuDNN (libcudnn.so.9) cannot be loaded", "pip install 'nvidia-cudnn-cu13~=9.0'"),
        ("12.8", "libcudnn.so.9", "cuDNN (libcudnn.so.9) cannot be loaded", "pip install 'nvidia-cudnn-cu12~=9.0'"),
        ("13.0", "libcublas.so.13", "cuBLAS (libcublas.so.13) cannot", "pip install 'nvidia-cublas~=13.0'"),
        ("12.8", "libcudart.so.12", "the CUDA runtime (lib", "pip install 'nvidia-cuda-runtime-cu12~=12.0'"),
        ("12.8", "libnvrtc.so.12", "NVRTC (libnvrtc.so.12) cannot", "pip install 'nvidia-cuda-nvrtc-cu12~=12.0'"),
        ("13.0", "libcufft.so.12", "cuFFT (libcufft.so.12) cannot", "pip install 'nvidia-cufft~=12.0'"),
        ("13.0", "libnew.so.1", "libnew.so.1 cannot be loaded", "pip install 'onnxruntime-gpu[cuda,cudnn]'"),
    ],
)
def test_a_missing_library_is_named_with_the_line_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, wheel: SimpleNamespace, cuda: str, file: str, words: str, fix: str
) -> None:
    served(monkeypatch, 13)
    wheel.cuda_version = cuda
    missing(monkeypatch, file)
    with pytest.raises(RuntimeAbsent, match=re.escape(words)) as caught:
        gpu.demand_cuda(wheel)
    assert caught.value.fix == fix


def test_what_the_provider_loads_by_itself_is_demanded_too(
    monkeypatch: pytest.MonkeyPatch, wheel: SimpleNamespace
) -> None:
    served(monkeypatch, 13)
    monkeypatch.setattr(gpu, "loaded", lambda file: "it is not there" if "cudnn" in file else "")
    with pytest.raises(RuntimeAbsent, match="cuDNN is missing: it is not there"):
        gpu.demand_cuda(wheel)
    monkeypatch.setattr(gpu, "loaded", lambda file: "it is not there" if "curand" in file else "")
    gpu.demand_cuda(wheel)


def test_providers_that_may_die_of_it_are_not_loaded_beforehand(
    monkeypatch: pytest.MonkeyPatch, wheel: SimpleNamespace
) -> None:
    served(monkeypatch, 13)
    seen: list[str] = []

    def loaded(file: str) -> str:
        seen.append(Path(file).name)
        return ""

    monkeypatch.setattr(gpu, "loaded", loaded)
    for version, expected in (("1.28.2", False), ("1.29.0", True)):
        wheel.__version__ = version
        seen.clear()
        gpu.demand_cuda(wheel)
        assert ("libonnxruntime_providers_cuda.so" in seen) is expected


def test_libraries_of_packages_are_found_wherever_they_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A real library under a name that the system does not know, in a package of another folder on the path."""
    assert "cannot open" in gpu.loaded("libonnxconv_test.so.9")
    folder = tmp_path / "nvidia" / "cu99" / "lib"
    folder.mkdir(parents=True)
    shutil.copy(_ctypes.__file__, folder / "libonnxconv_test.so.9")
    monkeypatch.syspath_prepend(tmp_path)
    assert gpu.loaded("libonnxconv_test.so.9") == ""


@pytest.mark.parametrize(
    ("version", "expected"), [("13.0", (13, 0)), ("12.8.1", (12, 8)), ("12", (12, 0)), ("", None), ("x", None)]
)
def test_the_version_that_a_wheel_was_built_for(version: str, expected: tuple[int, int] | None) -> None:
    assert gpu.built_for(SimpleNamespace(cuda_version=version)) == expected
    assert gpu.built_for(SimpleNamespace()) is None


def test_the_driver_tells_what_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def put(value: int) -> Callable[[object], int]:
        def write(place: object) -> int:
            place._obj.value = value  # type: ignore[attr-defined]
            return 0

        return write

    def name(buffer: ctypes.Array[ctypes.c_char], length: int, device: int) -> None:
        assert length == len(buffer)
        buffer.value = f"card {device}".encode()

    library = SimpleNamespace(
        cuInit=lambda flags: flags, cuDriverGetVersion=put(13010), cuDeviceGetCount=put(2), cuDeviceGetName=name
    )
    monkeypatch.setattr(gpu.ctypes, "CDLL", lambda _: library)
    assert str(gpu.driver()) == "serves CUDA 13.1, on card 0, card 1"
