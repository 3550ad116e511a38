"""What specs say: names, repeats, blocks, branches, references, values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from onnxconv.errors import SpecError
from onnxconv.spec import Layer, Spec, parse, read

GOOD = sorted((Path(__file__).parent / "good").glob("*.yaml"))
HEAD = "inputs: {x: 'float32[N, 64, 56, 56]'}\n"


def layers(text: str, head: str = HEAD) -> dict[str, Layer]:
    return {layer.name: layer for layer in parse(head + text).layers}


def plain(data: object) -> object:
    """A value without its places."""
    if isinstance(data, tuple):
        pairs = [p for p in data if isinstance(p, tuple)]
        return {k: plain(v.value) for k, v in pairs} if pairs else [plain(v.value) for v in data]
    return data


def codes(text: str) -> list[str]:
    with pytest.raises(SpecError) as raised:
        parse(text)
    return [d.code for d in raised.value.diagnostics]


@pytest.mark.parametrize(("name", "count"), [("resnet152", 515), ("inception_v3", 314), ("unet", 49), ("wavenet", 187)])
def test_whole_networks(name: str, count: int) -> None:
    spec = read(next(path for path in GOOD if path.stem == name))
    assert spec.name == name
    assert len(spec.layers) == count
    assert len({layer.name for layer in spec.layers}) == count
    known = {one.name for one in spec.inputs}
    for layer in spec.layers:
        assert layer.inputs
        assert known.issuperset(layer.inputs)
        known.add(layer.name)
    assert known.issuperset(spec.outputs)


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.stem)
def test_yaml_json_and_python_say_the_same(path: Path, tmp_path: Path) -> None:
    spec = read(path)
    data = YAML(typ="safe", pure=True).load(path)
    written = tmp_path / f"{path.stem}.json"
    written.write_text(json.dumps(data, indent="\t"))
    for other in (read(written), read(data)):
        assert (other.inputs, other.layers, other.outputs) == (spec.inputs, spec.layers, spec.outputs)


def test_json_as_others_write_it() -> None:
    text = '{"inputs":{"x":"float32[N,3]"},\n"layers"\n\t:\r\n["relu",{"dense":2e0,"name":"a\\/b"},{"dense":\n0}]}'
    with pytest.raises(SpecError) as raised:
        parse(text, "a.json")
    assert [(str(d.where), d.code) for d in raised.value.diagnostics] == [
        ("a.json:4:18", "type"),
        ("a.json:5:1", "range"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": "\\ud83d"}', "invalid Unicode character escape"),
        ('{"a": "\\ud83d\\ude00"}', "no 'a'"),
        ('{"a": NaN}', "1:7: this is no JSON: NaN"),
        ("[" * 100_000, "nested"),
        ("[" * 70 + "]" * 70, "nested 65 deep"),
        ('{"a": ' + "9" * 5000 + "}", "use smaller numbers"),
    ],
)
def test_odd_json(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse(text, "a.json")


def test_the_example_of_the_manual() -> None:
    spec = parse(
        "name: a\ninputs:\n  x: float32[N, 3, 8, 8]\nlayers:\n  - conv: {filters: 2, kernel: 3}\n  - relu\n", "a.yaml"
    )
    conv, relu = spec.layers
    assert (spec.name, spec.file, spec.outputs) == ("a", "a.yaml", ("relu",))
    assert spec.inputs[0].shape == ("N", 3, 8, 8)
    assert (conv.name, conv.kind, conv.inputs, relu.inputs) == ("conv", "conv", ("x",), ("conv",))
    assert str(conv["kernel"].where) == "a.yaml:5:32"
    assert str(relu.where) == "a.yaml:6:5"
    assert conv["stride"].value == 1
    assert "init" not in conv


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[relu, relu, sigmoid, relu]", ["relu", "relu_2", "sigmoid", "relu_3"]),
        ("[relu: , {relu: , name: relu_2}, relu]", ["relu", "relu_2", "relu_3"]),
        ("[{relu: , repeat: 2}]", ["relu.0", "relu.1"]),
        ("[{relu: , repeat: 0}, sigmoid]", ["sigmoid"]),
        ("[{relu: , repeat: 2, name: r}, relu]", ["r.0", "r.1", "relu"]),
        ("[{layers: [relu, relu]}, relu]", ["relu", "relu_2", "relu_3"]),
        ("[{layers: [relu, relu], name: g}, relu]", ["g.relu", "g.relu_2", "relu"]),
        ("[{layers: [relu], repeat: 2}]", ["layers.0.relu", "layers.1.relu"]),
        ("[{relu: , repeat: {i: 3}, when: i != 1}]", ["relu.0", "relu.2"]),
        ("[add: [[relu], [{relu: , name: a}], []]]", ["relu", "a", "add"]),
        ("[{add: [[{relu: , name: a}], []], repeat: 2}]", ["add.0.a", "add.0", "add.1.a", "add.1"]),
        ("[relu, {sigmoid: , when: 0}, {silu: , when: 1 + 1}]", ["relu", "silu"]),
        ("[{relu: , name: 'a/b.c:0'}]", ["a/b.c:0"]),
        ("[{layers: [relu, {relu: , name: relu}], name: g}]", ["g.relu_2", "g.relu"]),
        ("[{add: [[relu, {relu: , name: relu}], []], repeat: 1}]", ["add.0.relu_2", "add.0.relu", "add.0"]),
        ("[{relu: , name: relu.1}, {sigmoid: , repeat: 2}]", ["relu.1", "sigmoid.0", "sigmoid.1"]),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert list(layers(f"layers: {text}")) == names


def test_a_repetition_does_not_take_a_name_that_is_given() -> None:
    assert codes(HEAD + "layers: [{relu: , name: relu.1}, {relu: , repeat: 2}]") == ["duplicate-name"]


def test_from_is_for_the_first_repetition() -> None:
    found = layers(
        "layers: [relu, sigmoid, {silu: , from: relu, repeat: 2}, {add: , from: [relu, sigmoid], repeat: 2}]"
    )
    assert [found[f"silu.{i}"].inputs for i in range(2)] == [("relu",), ("silu.0",)]
    assert [found[f"add.{i}"].inputs for i in range(2)] == [("relu", "sigmoid")] * 2


def test_block_scopes() -> None:
    found = layers(
        "blocks: {b: {parameters: {n, m: n + 1}, layers: [{dense: n, name: d}, {dense: m}, {relu: , from: d}]}}\n"
        "layers: [b: 3, {b: {n: 4, m: 2}, name: named}, {relu: , from: b}, {add: [named, b.d]}]"
    )
    assert list(found)[:6] == ["b.d", "b.dense", "b.relu", "named.d", "named.dense", "named.relu"]
    assert [found[n]["features"].value for n in ("b.d", "b.dense", "named.d", "named.dense")] == [3, 4, 4, 2]
    assert found["named.d"].inputs == ("b.relu",)
    assert found["named.relu"].inputs == ("named.d",)
    assert found["relu"].inputs == ("b.relu",)
    assert found["add"].inputs == ("named.relu", "b.d")


def test_branches_start_at_the_current_tensor() -> None:
    found = layers(
        "layers: [relu, add: [[], [sigmoid, silu], previous, x], {concat: {of: [[], [silu]], axis: 2}, from: x}]"
    )
    assert found["add"].inputs == ("relu", "silu", "relu", "x")
    assert found["sigmoid"].inputs == ("relu",)
    assert found["concat"].inputs == ("x", "silu_2")
    assert found["concat"]["axis"].value == 2


def test_patterns_stay_within_a_part_of_a_name() -> None:
    text = "layers: [{layers: [relu, {sigmoid: , name: skip}], repeat: 3, name: w}, {add: w.*.skip}, {mul: 'w.?'}, {add: 'w.*', name: s}]"
    found = layers(text)
    assert found["add"].inputs == ("w.0.skip", "w.1.skip", "w.2.skip")
    assert found["mul"].inputs == found["s"].inputs == ("w.0.skip", "w.1.skip", "w.2.skip")


def test_repeat_over_values_and_parameters() -> None:
    found = layers(
        "parameters: {ds: [1, 2, 4], n: 2}\nlayers: [{dense: 3 * d, repeat: {d: ds}}, {relu: , repeat: n * 2}]"
    )
    assert [found[f"dense.{i}"]["features"].value for i in range(3)] == [3, 6, 12]
    assert [found[f"dense.{i}"].inputs for i in range(3)] == [("x",), ("dense.0",), ("dense.1",)]
    assert sum(name.startswith("relu") for name in found) == 4


@pytest.mark.parametrize(
    ("pad", "expected"),
    [
        ("1", 1),
        ("[1, 2]", [1, 2]),
        ("[[1, 2], 3]", [[1, 2], 3]),
        ("same", "same"),
        ("{output: 28}", {"output": 28}),
        ("{output: [28, w // 2]}", {"output": [28, 32]}),
        ("w // 2", 32),
        ("k", [3, 3]),
    ],
)
def test_pads(pad: str, expected: object) -> None:
    found = layers(f"parameters: {{w: 64, k: [3, 3]}}\nlayers: [conv: {{filters: 8, kernel: 3, pad: {pad}}}]")
    assert plain(found["conv"]["pad"].value) == expected


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        ("he_uniform", {"weight": ["he_uniform"]}),
        ("{normal: [0, 0.1]}", {"weight": ["normal", 0, 0.1]}),
        ("{constant: 2}", {"weight": ["constant", 2]}),
        ("{weight: ones, bias: {integers: [-3, 3]}}", {"weight": ["ones"], "bias": ["integers", -3, 3]}),
    ],
)
def test_initialisers(init: str, expected: object) -> None:
    own = layers(f"layers: [conv: {{filters: 8, kernel: 3, init: {init}}}]")["conv"]
    top = layers(f"init: {init}\nlayers: [conv: {{filters: 8, kernel: 3}}, batch_norm, dense: 3]")
    assert plain(own["init"].value) == plain(top["conv"]["init"].value) == plain(top["dense"]["init"].value) == expected
    assert "init" not in top["batch_norm"]


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ("float64[1, 3]", "float64", (1, 3)),
        ("'[N, 3, w, w // 2]'", "float16", ("N", 3, 64, 32)),
        ("[batch, 3, w]", "float16", ("batch", 3, 64)),
        ("'float32[N, max(w, 100)]'", "float32", ("N", 100)),
        ("float32 [N,C]", "float32", ("N", "C")),
    ],
)
def test_inputs(shape: str, dtype: str, expected: tuple[int | str, ...]) -> None:
    spec = parse(f"parameters: {{w: 64}}\ndtype: float16\ninputs:\n  x: {shape}\nlayers: [relu]")
    assert (spec.inputs[0].dtype, spec.inputs[0].shape) == (dtype, expected)


def test_words_and_lists_pass_through_blocks() -> None:
    text = "blocks: {c: {parameters: {k, p: valid, g: 1}, layers: [conv: {filters: 64, kernel: k, pad: p, group: g, bias: g > 1}]}}\n"
    found = layers(text + "layers: [c: {k: [1, 7], p: same, g: 2}]")
    conv = found["c.conv"]
    assert (plain(conv["kernel"].value), conv["pad"].value, conv["group"].value, conv["bias"].value) == (
        [1, 7],
        "same",
        2,
        True,
    )


def test_overrides() -> None:
    text = HEAD + "parameters: {classes: 10, twice: 2 * classes}\nlayers: [dense: classes, dense: twice]"
    for given in (7, "7"):
        spec = parse(text, set={"classes": given})
        assert [layer["features"].value for layer in spec.layers] == [7, 14]
    with pytest.raises(SpecError, match=r"--set clases: the spec has no parameter 'clases'[^?]*did you mean 'classes'"):
        parse(text, set={"clases": 7})
    with pytest.raises(SpecError, match="features is 0"):
        parse(text, set={"classes": 0})


def test_outputs() -> None:
    def outputs(text: str) -> tuple[str, ...]:
        return parse(HEAD + f"layers: [{{relu: , repeat: 3}}, sigmoid]\noutputs: {text}").outputs

    assert outputs("sigmoid") == ("sigmoid",)
    assert outputs("[relu, x]") == ("relu.2", "x")
    assert outputs("['relu.*', sigmoid]") == ("relu.0", "relu.1", "relu.2", "sigmoid")


def test_places_in_python_values_are_paths() -> None:
    with pytest.raises(SpecError) as raised:
        read(
            {
                "inputs": {"x": "float32[N, 3]"},
                "layers": ["relu", {"conv": {"filters": 8, "kernel": 0}}, {"dense": {1}}],
            }
        )
    assert [str(d.where) for d in raised.value.diagnostics] == ["layers[2].dense", "layers[1].conv.kernel"]


def test_every_mistake_is_reported_at_once() -> None:
    assert codes(
        HEAD + "nam: 3\nlayers: [reluu, conv: {kernel: 0, filters: n}, {relu: , from: y}, dense: 1 // 0]\noutputs: z"
    ) == [
        "unknown-key",
        "unknown-kind",
        "range",
        "unknown-name",
        "unknown-tensor",
        "division-by-zero",
        "unknown-tensor",
    ]


def test_deep_use_of_blocks_is_refused() -> None:
    blocks = "".join(f"  b{i}: [b{i + 1}]\n" for i in range(3000))
    assert "depth" in codes(HEAD + f"blocks:\n{blocks}  b3000: [relu]\nlayers: [b0]")


def test_wide_use_of_blocks_is_counted_not_written_out() -> None:
    blocks = "".join(f"  b{i}: [b{i + 1}, b{i + 1}, b{i + 1}]\n" for i in range(40))
    assert codes(HEAD + f"blocks:\n{blocks}  b40: [relu]\nlayers: [b0]") == ["expansion"]
    nested = "{layers: [{layers: [{relu: , when: 0}], repeat: {j: 100000}, when: j > i}], repeat: {i: 100000}}"
    assert codes(HEAD + f"layers: [{nested}]") == ["expansion"]


def test_many_patterns_are_refused() -> None:
    text = HEAD + "layers: [{relu: , repeat: 30000}, {add: 'relu.*', repeat: 100}]"
    assert "expansion" in codes(text)


def test_the_largest_size() -> None:
    assert codes("# " + "x" * (1 << 20)) == ["size"]


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "none.yaml", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "a\0b.yaml", "null"),
        (_write(tmp_path / "latin.yaml", b"a: 1\nname: caf\xe9\n"), r"latin.yaml:2:10: the byte 0xe9"),
        (_write(tmp_path / "wide.yaml", "name: a".encode("utf-16")), "0xff"),
    ):
        with pytest.raises(SpecError, match=message):
            read(path)


def test_a_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    text = "\ufeff" + "inputs:\r\n  x: float32[N, 3]\r\nlayers:\r\n  - dense: 0\r\n"
    with pytest.raises(SpecError, match=r"w.yaml:4:12: features is 0"):
        read(_write(tmp_path / "w.yaml", text.encode()))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((HEAD + "layers: [relu]").encode())))
    spec: Spec = read("-")
    assert (spec.name, spec.file) == ("network", "<stdin>")
