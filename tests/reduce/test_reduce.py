"""A disagreement is shrunk to what it needs, and to nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from verify.random_graphs import conv
from verify.sketch import Sketch, window

from onnxconv import read
from onnxconv.cli import commands
from onnxconv.graph import Graph
from onnxconv.ops import Add, Conv, MaxPool, Operator, Relu
from onnxconv.reduce import Reduced, reduce
from onnxconv.reduce.problem import problems
from onnxconv.verify import Verdict, verify
from onnxconv.weights import seeded

FAULTS = Path(__file__).parents[1] / "mutants" / "faults.py"

PLANTED = '''
import numpy as np, onnx, onnxruntime
from onnx import helper

def prepare(path):
    """Wrong where dilation >= 2, group > 1 and begin pad != end pad meet in one convolution, and nowhere else."""
    model = onnx.load(path)
    def wrong(node):
        a = {x.name: helper.get_attribute_value(x) for x in node.attribute}
        pads = list(a.get("pads", [0, 0]))
        half = len(pads) // 2
        return (node.op_type == "Conv" and max(a.get("dilations", [1])) >= 2 and a.get("group", 1) > 1
                and pads[:half] != pads[half:])
    bad = [node.output[0] for node in model.graph.node if wrong(node)]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    def run(inputs):
        got = dict(zip(names, session.run(names, inputs)))
        if bad:
            got = {name: -y for name, y in got.items()}
        return got
    return run
'''


def net() -> Graph:
    s = Sketch(("N", 6, 21, 18))
    s.add(Conv(window((3, 1, 1, 1, 1), (3, 1, 1, 1, 1)), 12), name="first")
    start = s.add(Relu(), name="relu")
    s.add(Conv(window((3, 2, 3, 2, 4), (2, 1, 2, 1, 0)), 12, 3), name="culprit")
    s.add(MaxPool(window((2, 1, 1, 0, 1), (2, 1, 1, 0, 1))), name="pool")
    s.add(Conv(window((1, 1, 1, 0, 0), (1, 1, 1, 0, 0)), 12), name="last")
    s.add(Add(), s.last, s.last, name="sum")
    assert start
    return s.graph()


@pytest.fixture
def planted(tmp_path: Path) -> str:
    path = tmp_path / "planted.py"
    path.write_text(PLANTED)
    return f"python:{path}"


def test_a_planted_bug_is_shrunk_to_what_it_needs(planted: str) -> None:
    found = reduce(net(), seeded(), runtime=planted)
    assert found is not None
    assert_least(found)


@pytest.mark.slow
def test_random_cases_find_it_in_under_a_thousand_tries(planted: str) -> None:
    tries, graph = next((tries, graph) for tries in range(1000) if disagrees(graph := conv(tries), planted))
    op = graph.nodes[0].op
    assert isinstance(op, Conv)
    assert needed(op), f"try {tries} disagrees for another reason"
    assert not any(needed(conv(earlier).nodes[0].op) for earlier in range(tries)), "an earlier try should have told"
    found = reduce(graph, seeded(), runtime=planted)
    assert found is not None
    assert_least(found)


def disagrees(graph: Graph, runtime: str) -> bool:
    return verify(graph, seeded(), runtimes=[runtime], probes=["exact"]).verdict is Verdict.FAIL


def needed(op: Operator) -> bool:
    """The planted bug shows."""
    assert isinstance(op, Conv)
    uneven = any(axis.pad[0] != axis.pad[1] for axis in op.window)
    return op.groups > 1 and uneven and any(axis.dilation > 1 for axis in op.window)


def assert_least(found: Reduced) -> None:
    """What the bug needs, and all else at its default."""
    (node,) = found.disagreement.problem.graph.nodes
    op = node.op
    assert isinstance(op, Conv)
    assert op.groups == 2
    assert not op.bias
    assert op.out_channels == 2
    dilated = [axis for axis in op.window if axis.dilation > 1]
    assert [axis.dilation for axis in dilated] == [2]
    assert sorted(abs(axis.pad[0] - axis.pad[1]) for axis in op.window) == [0, 1]
    assert sum(sum(axis.pad) for axis in op.window) == 1
    assert all(axis.stride == 1 for axis in op.window)
    problem = found.disagreement.problem
    numbers = [*problem.inputs.values(), *problem.arrays.values()]
    assert sum(int(np.count_nonzero(a)) for a in numbers) == 2
    assert {float(v) for a in numbers for v in np.unique(a)} <= {-1.0, 0.0, 1.0}
    assert found.asked < 2000


@pytest.mark.slow
def test_it_is_the_same_every_time(planted: str) -> None:
    one, other = (reduce(net(), seeded(), runtime=planted) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.disagreement.problem.graph.digest() == other.disagreement.problem.graph.digest()
    assert one.asked == other.asked
    for name, array in one.disagreement.problem.inputs.items():
        assert np.array_equal(array, other.disagreement.problem.inputs[name])


def test_nothing_is_made_of_a_correct_runtime() -> None:
    assert reduce(net(), seeded(), runtime="onnxruntime:cpu") is None


def test_a_fault_between_layers_is_cut_out_of_the_network() -> None:
    """One filter of a fused convolution: no layer alone shows it."""
    found = reduce(net(), seeded(), runtime=f"python:{FAULTS}", options={"fault": "one fused filter"})
    assert found is not None
    assert found.family == "routing"
    assert len(found.disagreement.problem.graph.nodes) == 2


@pytest.mark.parametrize(
    "fault",
    [
        "flipped kernel",
        pytest.param("swapped pads", marks=pytest.mark.slow),
        pytest.param("dropped tail channel", marks=pytest.mark.slow),
        pytest.param("last row zero", marks=pytest.mark.slow),
        pytest.param("crash", marks=[pytest.mark.slow, pytest.mark.worker]),
    ],
)
def test_other_faults_are_shrunk_to_one_layer(fault: str) -> None:
    found = reduce(net(), seeded(), runtime=f"python:{FAULTS}", options={"fault": fault})
    assert found is not None
    problem = found.disagreement.problem
    assert len(problem.graph.nodes) == 1
    assert sum(a.size for a in problem.inputs.values()) <= 30
    assert found.disagreement.reason


SPEC = """\
inputs: {x: 'float32[N, 2, 9]'}
layers:
- conv: {filters: 4, kernel: 3, dilation: 2, group: 2, pad: [[2, 1]]}
- relu
"""


def test_the_case_is_written_with_a_script_that_needs_numpy_and_onnxruntime(tmp_path: Path, planted: str) -> None:
    (tmp_path / "s.yaml").write_text(SPEC)
    case = tmp_path / "case"
    result = CliRunner().invoke(commands, ["reduce", str(tmp_path / "s.yaml"), "--runtime", planted, "-o", str(case)])
    assert result.exit_code == 1, result.output
    onnx.checker.check_model(str(case / "model.onnx"), full_check=True)
    expected, actual = np.load(case / "expected_0.npy"), np.load(case / "actual_0.npy")
    assert (expected != actual).any()
    assert not np.load(case / "allowed_0.npy").any()
    # onnxruntime itself is right about it: the script says so.
    ran = subprocess.run([sys.executable, "-I", case / "reproduce.py"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 of " in ran.stdout
    np.save(case / "expected_0.npy", expected + 1)
    ran = subprocess.run([sys.executable, "-I", case / "reproduce.py"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1


def test_nothing_is_written_where_nothing_disagrees(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPEC)
    case = tmp_path / "case"
    arguments = ["reduce", str(tmp_path / "s.yaml"), "--runtime", "onnxruntime:cpu", "-o", str(case)]
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 0
    assert not case.exists()


def test_networks_with_numbers_of_their_own_are_asked_as_a_whole(tmp_path: Path) -> None:
    """A single number belongs to a formula and stays what it is; it has to be read from the model."""
    spec = tmp_path / "three.yaml"
    spec.write_text(
        "inputs: {x: 'float32[2, 3, 8, 8]'}\n"
        "layers: [{conv: {filters: 4, kernel: 3}}, {add: [[{constant: {value: 3}}], []]}, relu]\n"
    )
    network = read(spec)
    (problem,) = problems(network.graph, "routing", 0, network.weights)
    assert [float(a) for a in problem.arrays.values() if a.size == 1] == [3.0]
