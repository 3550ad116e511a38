"""A program that kills builds at many moments and prints what was left each time, as JSON lines.

Arguments: a folder. Each build is a forked child, which writes model A or B over model A; then the parent looks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from chains import chain

from onnxconv.emit import EmitOptions, save
from onnxconv.graph import Graph
from onnxconv.ops import Dense, Relu
from onnxconv.weights import seeded

INLINE, EXTERNAL = EmitOptions(), EmitOptions(external_data="always")
WIDTH = 300
MODELS: dict[str, Graph] = {"A": chain((1, WIDTH), Dense(WIDTH), Relu()), "B": chain((1, WIDTH), Relu(), Dense(WIDTH))}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def in_a_child(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return child


def killed_at_call(number: int, work: Callable[[], None]) -> Callable[[], None]:
    """`work`, killed in front of its n-th change of the file system."""

    def killed() -> None:
        calls = iter(range(number))

        def before(original: Callable[..., object]) -> Callable[..., object]:
            def changed(*arguments: object, **more: object) -> object:
                if next(calls, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*arguments, **more)

            return changed

        for name in ("replace", "fsync", "unlink"):
            setattr(os, name, before(getattr(os, name)))
        Path.unlink = before(Path.unlink)  # type: ignore[method-assign]
        work()

    return killed


def main(root: Path) -> None:
    dice = random.Random(0)
    for options in (INLINE, EXTERNAL):
        whole: dict[str, dict[str, bytes]] = {}
        took = 0.0
        for letter, graph in MODELS.items():
            folder = root / f"{letter}{options.external_data}"
            folder.mkdir()
            started = time.monotonic()
            save(graph, seeded(), folder / "m.onnx", options)
            took = time.monotonic() - started
            whole[letter] = contents(folder)
        trials = [("call", n) for n in range(12)] + [("time", n) for n in range(10)]
        for over in (False, True):
            for way, number in trials:
                folder = root / f"{options.external_data}{over}{way}{number}"
                folder.mkdir()
                for name, content in whole["A"].items() if over else ():
                    (folder / name).write_bytes(content)

                def work(folder: Path = folder, options: EmitOptions = options) -> None:
                    save(MODELS["B"], seeded(), folder / "m.onnx", options)

                child = in_a_child(killed_at_call(number, work) if way == "call" else work)
                if way == "time":
                    time.sleep(dice.uniform(0, 1.2 * took))
                    os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                left = contents(folder)
                models = [letter for letter in whole if left == whole[letter]]
                state = models[0] if models else "absent" if "m.onnx" not in left else "wrong"
                killed = os.WIFSIGNALED(status)
                line = {"external": options.external_data, "over": over, "way": way, "killed": killed, "left": state}
                print(json.dumps({**line, "failed": not killed and status != 0}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
