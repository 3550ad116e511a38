"""Generated C after it was worked over: tensors share memory only when nobody needs both, and numbers are the same."""

from __future__ import annotations

import random
import re

import pytest

from onnxconv.embed.targets.c.source import close_together, in_static_memory

SOURCE = """\
const float weight1[2][3] = {
    {
        0x1.8p+0f, -0x1.0p-3f, 0x0p+0f
    },
    {
        0x1.0p+0f, 0x1.0p+1f, 0x1.0p+2f
    }
};
static inline void node0(const float x[2]) {
    float acc = 0;
}

void model(const float x[2], float y[2]) {
    float tmp0[2][3];
    double tmp1[4];
    float tmp2[5];
    node0(x, tmp0);
    node1(tmp0, weight1, tmp1);
    node2(tmp1, tmp2);
    node3(tmp2, y);
}
"""


def test_what_is_no_longer_needed_gives_up_its_place() -> None:
    source, size = in_static_memory(SOURCE, {"float": 4, "double": 8})
    assert size == 24 + 32
    assert "    static union { float tmp0[2][3]; float tmp2[5]; } slot0;\n" in source
    assert "    static union { double tmp1[4]; } slot1;\n" in source
    assert "    node2(slot1.tmp1, slot0.tmp2);\n" in source
    assert "float acc = 0;" in source


@pytest.mark.parametrize("seed", range(5))
def test_no_call_meets_two_tensors_in_one_place_or_one_that_was_overwritten(seed: int) -> None:
    draw = random.Random(seed)
    declared = [f"    float tmp{n}[{draw.randint(1, 9)}];" for n in range(40)]
    calls = [
        f"    node{n}({', '.join({f'tmp{draw.randrange(max(0, n - 9), n)}' for _ in range(2)} if n else ['x'])}, tmp{n});"
        for n in range(40)
    ]
    source, _ = in_static_memory("\nvoid model(x) {\n" + "\n".join((*declared, *calls)) + "\n}\n", {"float": 4})
    holds: dict[str, str] = {}
    for line in (line for line in source.splitlines() if "node" in line):
        *read, (slot, made) = re.findall(r"(slot\d+)\.(tmp\d+)", line)
        assert all(holds[s] == tensor and s != slot for s, tensor in read), line
        holds[slot] = made
    assert len(holds) < 20


def test_numbers_stand_close_together() -> None:
    made = close_together(SOURCE)
    assert "= {\n{0x1.8p+0f,-0x1.0p-3f,0x0p+0f},{0x1.0p+0f,0x1.0p+1f,0x1.0p+2f}\n};" in made
    assert "".join(made.split()) == "".join(SOURCE.split())
    many = "const float w[900] = {\n" + ",\n".join(f"    {n}" for n in range(900)) + "\n};\n"
    assert "".join(close_together(many).split()) == "".join(many.split())
    assert max(map(len, close_together(many).splitlines())) < 130
