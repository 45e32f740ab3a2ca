"""QR codes as SVG."""

from __future__ import annotations

import io

import segno


def draw(text: str) -> str:
    """Return a QR code of ``text``, as SVG without a size of its own, black on white with a quiet zone."""
    drawing = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(drawing, kind="svg", border=4, dark="#000", light="#fff", omitsize=True, xmldecl=False)
    return drawing.getvalue().decode()
