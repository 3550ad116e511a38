"""A Markdown page of the results that run.py has written: ``python tests/cuda/page.py RESULTS.json`` writes it again."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]

ORDER = ("fail", "not_run", "untrusted", "pass")
BRIEF = 160
"""Characters of a reason."""


def page(document: Record) -> str:
    """All tables of a document; what was not measured is said to be so."""
    blocks = [
        _head(document),
        _tests(document),
        _settings(document),
        _families(document),
        _arithmetic(document),
        _told(document),
        _unplaced(document),
        _networks(document),
        _times(document),
        _trouble(document),
    ]
    return "\n".join(line for block in blocks for line in [*block, ""])


def _head(document: Record) -> Iterator[str]:
    machine = document["machine"]
    yield f"# {document['runtime']} on {machine['card']}, {document['date']}"
    yield ""
    yield f"`{document['command']}` took {document.get('seconds', 0)} s and wrote the JSON beside this page, from which it is made."
    yield ""
    pieces = {name: told for name, told in machine.items() if name in ("onnxruntime", "python", "processors", "system")}
    yield from _table(["", ""], [[name, told] for name, told in (pieces | machine["pieces"]).items()])
    for name, told in document.get("stages", {}).items():
        yield f"- {name}: {told}"


def _tests(document: Record) -> Iterator[str]:
    yield "## Tests"
    yield ""
    found = document.get("tests")
    if not found:
        yield "Not run."
        return
    yield f"`pytest -m cuda tests/cuda` ended with status {found['exit']}: {(found['said'] or [''])[-1]}"


def _settings(document: Record) -> Iterator[str]:
    """A row for each setting and data type: verdicts, the worst bound_used, and what the traces say."""
    yield "## Settings"
    yield ""
    yield (
        "`error/bound`: the worst error over the bound of direct arithmetic in the layer's type, and over that of the model that "
        "fits. `computed with`: layers by their fingerprints (float32) · `fits`: the narrowest model whose bound they keep to."
    )
    yield ""
    rows = []
    for (setting, dtype), records in _grouped(document, ("check", "trace"), "setting", "dtype"):
        checks, traces = ([r for r in records if r["kind"] == kind] for kind in ("check", "trace"))
        exact = [r for r in checks if r["probe"] in ("exact", "impulse")]
        used = [r["used"] for r in traces]
        rows.append(
            [
                _setting(document, setting),
                dtype,
                _verdicts(checks),
                _verdicts(exact),
                _worst(u.get("direct", 0.0) for u in used),
                _worst(min(u.values(), default=0.0) for u in used),
                _counted(r.get("arithmetic", "") for r in traces),
                _counted(r["fits"] for r in traces),
                _counted(r.get("sums", "") for r in traces),
            ]
        )
    head = [
        "setting",
        "type",
        "verdicts",
        "bit-exact probes",
        "error/bound",
        "of what fits",
        "computed with",
        "fits",
        "sums",
    ]
    yield from _table(head, rows)


def _families(document: Record) -> Iterator[str]:
    """A row for each family: what the probes said at the first setting of each data type, and elsewhere."""
    yield "## Families"
    yield ""
    yield "Probes that did not pass at any setting, with the number of settings."
    yield ""
    rows = []
    for (family, dtype), records in _grouped(document, ("check",), "family", "dtype"):
        wrong = Counter(f"{r['probe']} {r['verdict']}" for r in records if r["verdict"] != "pass")
        settings = len({r["setting"] for r in records})
        rows.append([family, dtype, settings, _worst(r.get("bound_used", 0.0) for r in records), _listed(wrong) or "–"])
    yield from _table(["family", "type", "settings", "error/bound", "not passed"], rows)


def _arithmetic(document: Record) -> Iterator[str]:
    """Where traces are not direct: which families, in which settings."""
    yield "## Other arithmetic than direct"
    yield ""
    yield "`then`: the probes impulse, exact and bound, with that arithmetic allowed."
    yield ""
    rows = []
    then = dict(_grouped(document, ("allowed",), "family", "arithmetic_asked"))
    for (family, name), records in _grouped(document, ("trace",), "family", "arithmetic"):
        if name not in (None, "direct"):
            prints = _counted(json.dumps(r["fingerprint"]) for r in records)
            shown = ", ".join(sorted({_setting(document, r["setting"]) for r in records})[:3])
            allowed = then.get((family, name), [])
            used = _worst(r.get("bound_used", 0.0) for r in allowed)
            rows.append([family, name, len(records), shown, prints, _verdicts(allowed), used])
    yield from _table(["family", "computed with", "settings", "such as", "fingerprint", "then", "error/bound"], rows)


def _told(document: Record) -> Iterator[str]:
    """Special values and repetition: what is otherwise than by the definition, which no standard forbids."""
    yield "## Special values and repetition"
    yield ""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for r in document["records"]:
        for told in r.get("told", ()):
            counts[r["probe"], r["family"], told["of"], told["says"]] += 1
    yield from _table(["probe", "family", "of", "seen", "times"], [[*key, n] for key, n in sorted(counts.items())])


def _unplaced(document: Record) -> Iterator[str]:
    yield "## Nodes left to the CPU"
    yield ""
    rows = []
    for kind, key in (("check", "family"), ("network", "source")):
        for (name, dtype), records in _grouped(document, (kind,), key, "dtype"):
            nodes = _counted(node for r in records for node in r.get("unplaced", ()))
            if nodes:
                rows.append([name, dtype or "", nodes])
    yield from _table(["of", "type", "nodes"], rows)


def _networks(document: Record) -> Iterator[str]:
    yield "## Whole networks"
    yield ""
    rows = []
    for (source, setting, asked), records in _grouped(document, ("network",), "source", "setting", "arithmetic_asked"):
        by_probe = {r["probe"]: r for r in records}
        cells = [
            f"{r['verdict']} ({_number(r['bound_used'])})" if r.get("bound_used") else r["verdict"]
            for r in by_probe.values()
        ]
        told = ", ".join(f"{probe}: {cell}" for probe, cell in zip(by_probe, cells, strict=True))
        rows.append([source, _setting(document, setting), asked, told])
    yield from _table(["network", "setting", "arithmetic asked", "verdicts (error/bound)"], rows)


def _times(document: Record) -> Iterator[str]:
    yield "## Times"
    yield ""
    yield "Milliseconds for one image: the median of rounds in which the runtimes take turns, copies to and from the device included."
    yield ""
    names = list(dict.fromkeys(r["setting"] for r in document["records"] if r["kind"] == "time" and "setting" in r))
    rows = []
    for (source,), records in _grouped(document, ("time",), "source"):
        by_name = {r["setting"]: r for r in records}
        cells = [by_name.get(name, {}).get("median_ms") for name in names]
        rows.append([source, *("–" if cell is None else f"{cell:.2f}" for cell in cells)])
    yield from _table(["network", *(f"`{document['settings'][name]}`" for name in names)], rows)


def _trouble(document: Record) -> Iterator[str]:
    """Every distinct reason for which something did not pass."""
    yield "## What did not pass"
    yield ""
    reasons: Counter[tuple[str, ...]] = Counter()
    for r in document["records"]:
        if reason := r.get("reason"):
            reasons[
                r["kind"], str(r.get("probe", "")), str(r.get("verdict", "")), " ".join(reason.split())[:BRIEF]
            ] += 1
    yield from _table(
        ["kind", "probe", "verdict", "reason", "times"], [[*key, n] for key, n in reasons.most_common(60)]
    )


def _grouped(document: Record, kinds: tuple[str, ...], *keys: str) -> Iterable[tuple[tuple[Any, ...], list[Record]]]:
    found: dict[tuple[Any, ...], list[Record]] = {}
    for record in document["records"]:
        if record["kind"] in kinds:
            found.setdefault(tuple(record.get(key) for key in keys), []).append(record)
    return found.items()


def _setting(document: Record, number: int) -> str:
    """The options alone; the first setting, all defaults, is called so."""
    _, _, options = document["settings"][number].partition(",")
    return f"`{options}`" if options else "as it comes"


def _verdicts(records: list[Record]) -> str:
    counts = Counter(r["verdict"] for r in records)
    return ", ".join(f"{counts[v]} {v}" for v in ORDER if counts[v])


def _counted(words: Iterable[str]) -> str:
    return _listed(Counter(word for word in words if word))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(word if n == 1 else f"{word} × {n}" for word, n in counts.most_common())


def _worst(values: Iterable[Any]) -> str:
    numbers = [float(value) for value in values]
    return _number(max(numbers)) if numbers else ""


def _number(value: Any) -> str:
    return f"{float(value):.3g}"


def _table(head: list[str], rows: list[list[Any]]) -> Iterator[str]:
    if not rows:
        yield "None."
        return
    cell: Callable[[Any], str] = lambda value: str(value).replace("|", "\\|").replace("\n", " ")  # noqa: E731
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(map(cell, row))} |"


def main(path: Path) -> None:
    path.with_suffix(".md").write_text(page(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
