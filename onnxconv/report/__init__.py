"""What is known about a network, or was found out about runtimes, laid out for people and programs. Nothing is computed here."""

from __future__ import annotations

from dataclasses import dataclass

from onnxconv.report.data import as_csv, as_json
from onnxconv.report.document import Document, document
from onnxconv.report.here import doctor_text, runtimes_text, targets_text
from onnxconv.report.table import Style, plain
from onnxconv.report.text import WIDTH, text
from onnxconv.report.timing import bench_text
from onnxconv.report.verification import verification_text

__all__ = [
    "FORMATS",
    "WIDTH",
    "Document",
    "Report",
    "Style",
    "as_json",
    "bench_text",
    "doctor_text",
    "document",
    "plain",
    "runtimes_text",
    "targets_text",
    "verification_text",
]

FORMATS = ("text", "json", "csv", "markdown", "html")


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """The document that `onnxconv report --format json` prints, and the ways to lay it out."""

    document: Document

    def render(self, format: str = "text", *, width: int = WIDTH, style: Style = plain) -> str:
        """The report in one of `FORMATS`; `width`, in characters, and `style` matter to text alone."""
        if format == "text":
            return text(self.document, width, style)
        from onnxconv.report.page import as_html, as_markdown

        return {"json": as_json, "csv": as_csv, "markdown": as_markdown, "html": as_html}[format](self.document)

    def __str__(self) -> str:
        return self.render().rstrip("\n")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from onnxconv.report.page import as_body

        return as_body(self.document)
