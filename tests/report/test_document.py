"""A page is one file that loads nothing and sends nothing."""

import base64
import hashlib

from maker_graph.report.document import document


def test_only_the_script_of_the_page_runs_and_texts_are_escaped() -> None:
    page = document("<b>", "<header></header>", ["<section></section>", ""], "Made.", "let a = 1")
    digest = base64.b64encode(hashlib.sha256(b"let a = 1").digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "<title>&lt;b&gt;</title>" in page
    assert page.count("<script>") == 1
    assert "script-src 'none'" in document("t", "", [], "")
