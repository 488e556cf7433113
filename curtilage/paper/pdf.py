"""A paper as PDF, with ReportLab and its own embedded font: no system library, no font of the machine, the same bytes for the same paper.

A character the font lacks is written as its code point (``U+4E2D``): a name that could not be read would otherwise look like one that
was left out.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

from curtilage.errors import MachineError
from curtilage.paper.blocks import Block, Facts, Heading, Listing, Note, Paper, SignOff, Statement, Table, Verbatim

_WIDTH = 170  # millimetres between the margins of A4


@lru_cache(maxsize=1)
def _fonts() -> frozenset[int]:
    """Register the font; returns the code points it has."""
    from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
    from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]

    for name, file in (("Paper", "Vera.ttf"), ("Paper-Bold", "VeraBd.ttf"), ("Paper-Italic", "VeraIt.ttf")):
        pdfmetrics.registerFont(TTFont(name, file))
    pdfmetrics.registerFontFamily("Paper", normal="Paper", bold="Paper-Bold", italic="Paper-Italic", boldItalic="Paper-Bold")
    return frozenset(pdfmetrics.getFont("Paper").face.charToGlyph)


def _text(value: str) -> str:
    known = _fonts()
    shown = "".join(
        character if ord(character) in known or character == "\n" else f"[U+{ord(character):04X}]" for character in value.replace("\t", " ")
    )
    return escape(shown)


def _links(refs: tuple[int, ...]) -> str:
    return "".join(f' <a href="#record-{index}" color="#0b4fa8"><super size="6">[{index}]</super></a>' for index in refs)


def _styles() -> dict[str, Any]:
    from reportlab.lib.colors import HexColor  # type: ignore[import-untyped]
    from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]

    band = HexColor("#f1f4f7")
    base = ParagraphStyle("base", fontName="Paper", fontSize=9, leading=13, spaceAfter=5, splitLongWords=True, wordWrap="LTR")
    return {
        "base": base,
        "title": ParagraphStyle("title", parent=base, fontName="Paper-Bold", fontSize=17, leading=21, spaceAfter=2),
        "subtitle": ParagraphStyle("subtitle", parent=base, textColor=HexColor("#4b5560"), spaceAfter=10),
        "h2": ParagraphStyle("h2", parent=base, fontName="Paper-Bold", fontSize=12, leading=16, spaceBefore=12, keepWithNext=1),
        "h3": ParagraphStyle("h3", parent=base, fontName="Paper-Bold", fontSize=10, leading=14, spaceBefore=8, keepWithNext=1),
        "cell": ParagraphStyle("cell", parent=base, fontSize=7.5, leading=10, spaceAfter=0),
        "head": ParagraphStyle("head", parent=base, fontName="Paper-Bold", fontSize=7.5, leading=10, spaceAfter=0),
        "note": ParagraphStyle("note", parent=base, backColor=band, borderPadding=5, leftIndent=6, spaceBefore=6, spaceAfter=9),
        "mono": ParagraphStyle("mono", parent=base, fontSize=6.8, leading=9, backColor=band, borderPadding=4, spaceAfter=9),
        "sign": ParagraphStyle("sign", parent=base, spaceBefore=10, spaceAfter=20),
    }  # fmt: skip


def _rows(found: Table, styles: dict[str, Any]) -> list[list[Any]]:
    from reportlab.platypus import Paragraph  # type: ignore[import-untyped]

    rows = [[Paragraph(_text(column), styles["head"]) for column in found.columns]]
    for number, row in enumerate(found.rows):
        refs = _links(found.refs[number]) if found.refs else ""
        rows.append([Paragraph(_text(text) + (refs if at == 0 else ""), styles["cell"]) for at, text in enumerate(row)])
    return rows


def _grid(rows: list[list[Any]], widths: list[float], *, headed: bool) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table as Grid

    line = HexColor("#c6ccd3")
    style: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, line),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ]
    if headed:
        style.append(("BACKGROUND", (0, 0), (-1, 0), HexColor("#f1f4f7")))
    return Grid(rows, colWidths=widths, repeatRows=1 if headed else 0, style=style, spaceAfter=8)


def _flow(found: Block, styles: dict[str, Any]) -> list[Any]:
    from reportlab.lib.units import mm  # type: ignore[import-untyped]
    from reportlab.platypus import HRFlowable, Paragraph, Spacer

    match found:
        case Heading():
            anchor = f'<a name="{escape(found.anchor)}"/>' if found.anchor else ""
            return [Paragraph(anchor + _text(found.text), styles["h2" if found.level <= 2 else "h3"])]
        case Statement():
            return [Paragraph(_text(found.text) + _links(found.refs), styles["base"])]
        case Note():
            return [Paragraph(_text(found.text), styles["note"])]
        case Facts():
            rows = [[Paragraph(_text(name), styles["head"]), Paragraph(_text(value), styles["cell"])] for name, value in found.rows]
            return [_grid(rows, [45 * mm, (_WIDTH - 45) * mm], headed=False)] if rows else []
        case Table():
            caption = [Paragraph(_text(found.caption), styles["head"])] if found.caption else []
            weights = _weights(found)
            return [*caption, _grid(_rows(found, styles), [weight * _WIDTH * mm for weight in weights], headed=True)]
        case Listing():
            return [Paragraph("• " + _text(item), styles["base"]) for item in found.items]
        case Verbatim():
            return [Paragraph(_text(found.text).replace("\n", "<br/>"), styles["mono"])]
        case SignOff():
            lines: list[Any] = []
            for name in found.fields:
                lines += [Paragraph(_text(name), styles["sign"]), HRFlowable(width="100%", thickness=0.5), Spacer(1, 4)]
            return lines


def _weights(found: Table) -> list[float]:
    """Column widths: never narrower than the heading's longest word, else by the texts; a column left empty is one to write in."""
    widths = []
    for at, column in enumerate(found.columns):
        texts = [row[at] for row in found.rows[:200]]
        mean = sum(len(text) for text in texts) / max(1, len(texts))
        least = max(len(word) for word in column.split() or [""]) + 2.5
        widths.append(max(least, min(60.0, mean), 16.0 if texts and not any(texts) else 0.0, 8.0 if found.refs and at == 0 else 0.0))
    total = sum(widths)
    return [width / total for width in widths]


def render_pdf(paper: Paper) -> bytes:
    """The paper as PDF; the same paper gives the same bytes.

    Raises:
        MachineError: ReportLab is not installed.
    """
    try:
        from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
        from reportlab.lib.units import mm
        from reportlab.platypus import Paragraph, SimpleDocTemplate
    except ImportError as error:
        raise MachineError(
            "PDF needs ReportLab, which is not installed here\n  fix:  pip install 'curtilage[evidence]', or ask for HTML"
        ) from error
    _fonts()
    styles = _styles()
    buffer = io.BytesIO()

    def margins(canvas: Any, document: Any) -> None:
        canvas.saveState()
        canvas.setFont("Paper", 6.5)
        canvas.drawString(20 * mm, 10 * mm, "".join(c if ord(c) in _fonts() else "?" for c in paper.footer[:150]))
        canvas.drawRightString(190 * mm, 10 * mm, str(document.page))
        canvas.restoreState()

    document = SimpleDocTemplate(
        buffer, pagesize=A4, leftMargin=20 * mm, rightMargin=20 * mm, topMargin=18 * mm, bottomMargin=18 * mm, title=paper.title,
        subject=paper.subtitle, author="curtilage", creator="curtilage", lang=paper.language, invariant=1,
    )  # fmt: skip
    story: list[Any] = [Paragraph(_text(paper.title), styles["title"]), Paragraph(_text(paper.subtitle), styles["subtitle"])]
    story += _flow(Facts(rows=paper.facts), styles)
    for found in paper.blocks:
        story += _flow(found, styles)
    document.build(story, onFirstPage=margins, onLaterPages=margins)
    return buffer.getvalue()
