"""wampflask/browser/morph.js in a real browser: new HTML goes in, and what the reader is at stays."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.browsing import Troubles, leave, page_in
from tests.browser.client_site import SOURCES


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()


@pytest.fixture(scope="module")
def sources() -> Iterator[str]:
    """The client's sources on a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SOURCES)))
    thread = threading.Thread(target=server.serve_forever, name="sources")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["moveBefore", "insertBefore"])
def page(request: pytest.FixtureRequest, browser: Browser, sources: str, troubles: Troubles) -> Iterator[Page]:
    """A page with ``to(html)``, in a browser that can move elements as they are, and in one that cannot."""
    context = browser.new_context()
    opened = page_in(context, troubles)
    opened.goto(f"{sources}package.json")
    opened.set_content('<div id="box"></div>')
    opened.evaluate(f"""async () => {{
        if ({request.param!r} === "insertBefore") delete Element.prototype.moveBefore;
        const {{ morphChildren, parse }} = await import("{sources}morph.js");
        window.box = document.getElementById("box");
        window.to = (html) => morphChildren(box, [...parse(html).childNodes]);
        window.find = (selector) => box.querySelector(selector);
    }}""")
    yield opened
    leave(context)


def row(key: str, extra: str = "") -> str:
    return f"""<section data-key="{key}" class="row {extra}"><h2>{key}{extra}</h2>
        <input name="text" value="default {key}"><input type="checkbox" name="tick">
        <input type="radio" name="r{key}" value="1">
        <textarea>words {key}</textarea>
        <select><option>one</option><option>two</option><option>three</option></select>
        <details><summary>More</summary>inside</details>
        <div class="scroll" style="height:30px;overflow:auto"><div style="height:300px">tall</div></div></section>"""


MESS = """() => {
    const mine = find("[data-key=b]");
    mine.querySelector("[name=text]").value = "typed";
    mine.querySelector("[name=tick]").click();
    mine.querySelector("[type=radio]").click();
    mine.querySelector("textarea").value = "more words";
    mine.querySelector("select").value = "three";
    mine.querySelector("details").open = true;
    mine.querySelector(".scroll").scrollTop = 40;
    mine.querySelector("[name=text]").focus();
    mine.querySelector("[name=text]").setSelectionRange(1, 3);
    window.mine = mine;
}"""
LEFT = """() => {
    const mine = find("[data-key=b]");
    const text = mine.querySelector("[name=text]");
    return [mine === window.mine, text.value, document.activeElement === text, text.selectionStart, text.selectionEnd,
        mine.querySelector("[name=tick]").checked, mine.querySelector("[type=radio]").checked,
        mine.querySelector("textarea").value, mine.querySelector("select").value,
        mine.querySelector("details").open, mine.querySelector(".scroll").scrollTop];
}"""
KEPT = [True, "typed", True, 1, 3, True, True, "more words", "three", True, 40]

CASES = {
    "changed": row("a") + row("b", "new") + row("c"),
    "moved down": row("a") + row("c") + row("b"),
    "moved up": row("b") + row("a") + row("c"),
    "reversed": row("c") + row("b") + row("a"),
    "appended": row("a") + row("b") + row("c") + row("d"),
    "prepended": row("z") + row("a") + row("b") + row("c"),
    "removed": row("b"),
    "all at once": row("d") + row("c", "new") + "<p>text</p>" + row("b", "new") + "<!-- note -->",
}


@pytest.mark.parametrize("case", CASES)
def test_the_reader_loses_nothing(page: Page, case: str) -> None:
    page.evaluate("to", row("a") + row("b") + row("c"))
    page.evaluate(MESS)
    page.evaluate("to", CASES[case])
    assert page.evaluate(LEFT) == KEPT
    shown = "[...box.querySelectorAll('h2')].map((h) => h.textContent)"
    assert page.evaluate(shown) == re.findall(r"<h2>(\w+)</h2>", CASES[case])


def after(page: Page, first: str, do: str, then: str, look: str) -> Any:
    page.evaluate("to", first)
    page.evaluate(do)
    page.evaluate("to", then)
    return page.evaluate(look)


def cells(*keys: str) -> str:
    return "".join(f'<tr data-key="{key}"><td>{key}</td></tr>' for key in keys)


def test_a_field_nobody_touched_shows_what_is_new(page: Page) -> None:
    first = """<input value="1"><input type="checkbox"><textarea>old</textarea>
        <select><option selected>x</option><option>y</option></select>"""
    then = """<input value="2"><input type="checkbox" checked><textarea>new</textarea>
        <select><option>x</option><option selected>y</option></select>"""
    look = "[find('input').value, find('[type=checkbox]').checked, find('textarea').value, find('select').value]"
    assert after(page, first, "null", then, look) == ["2", True, "new", "y"]


def test_a_field_typed_in_and_put_back_shows_what_is_new(page: Page) -> None:
    do = "() => { for (const text of ['x', '1']) find('input').value = text; }"
    assert after(page, '<input value="1">', do, '<input value="2">', "find('input').value") == "2"


def test_a_choice_survives_a_new_default_but_not_its_own_removal(page: Page) -> None:
    first = "<select><option selected>x</option><option>y</option><option>z</option></select>"
    do = "() => { find('select').value = 'z'; }"
    then = "<select><option>x</option><option selected>y</option><option>z</option></select>"
    assert after(page, first, do, then, "find('select').value") == "z"


def test_a_closed_form_is_disabled_around_what_was_typed(page: Page) -> None:
    do = "() => { find('input').value = 'mine'; }"
    look = "[find('input').value, find('input').disabled]"
    assert after(page, "<input>", do, "<input disabled>", look) == ["mine", True]


def test_attributes_come_and_go(page: Page) -> None:
    first, then = '<p class="a" title="t">x</p>', '<p class="b" lang="en">y</p>'
    assert after(page, first, "() => { window.p = find('p'); }", then, "[p === find('p'), box.innerHTML]") == [
        True,
        then,
    ]


def test_what_has_data_keep_is_left_alone(page: Page) -> None:
    first = '<h2>a</h2><div id="v" data-keep><b>playing</b></div>'
    do = "() => { window.node = find('b'); node.textContent = 'at 0:07'; }"
    then = '<h2>b</h2><p>new</p><div id="v" data-keep class="x"><b>playing</b></div>'
    look = "[find('b') === node, find('b').textContent, find('#v').className, find('h2').textContent]"
    assert after(page, first, do, then, look) == [True, "at 0:07", "", "b"]


def test_a_playing_video_plays_on(page: Page) -> None:
    first = '<p data-key="1">a</p><video data-key="v" data-keep muted loop></video>'
    page.evaluate("to", first)
    page.evaluate("""() => {
        const canvas = document.createElement("canvas");
        const brush = canvas.getContext("2d");
        setInterval(() => brush.fillRect(Math.random() * 100, 0, 9, 9), 50);
        find("video").srcObject = canvas.captureStream();
        find("video").play().catch(() => {});
        window.stops = 0;
        find("video").addEventListener("pause", () => { window.stops += 1; });
    }""")
    page.wait_for_function("find('video').currentTime > 0")
    page.evaluate(
        "to", '<p data-key="0">new</p><p data-key="1">b</p><video data-key="v" data-keep muted loop></video><p>end</p>'
    )
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    assert page.evaluate("[find('video').paused, window.stops]") == [False, 0]


def test_a_composition_goes_on(page: Page) -> None:
    """An input method writes into the field while it composes; taking that away would end it."""
    page.evaluate("to", '<p>1</p><input value="">')
    page.focus("input")
    client = page.context.new_cdp_session(page)
    page.evaluate(
        "() => { window.ends = 0; find('input').addEventListener('compositionend', () => { window.ends += 1; }); }"
    )
    client.send("Input.imeSetComposition", {"text": "にほ", "selectionStart": 2, "selectionEnd": 2})
    page.evaluate("to", '<p>2</p><input value="" class="new">')
    client.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    assert page.evaluate("[window.ends, find('input').value]") == [0, "にほん"]


def test_an_editor_with_the_focus_is_left_alone(page: Page) -> None:
    do = "() => { find('div').focus(); find('div').textContent = 'written'; }"
    then = "<h2>b</h2><div contenteditable>draft</div>"
    look = "[find('div').textContent, find('h2').textContent]"
    assert after(page, "<h2>a</h2><div contenteditable>draft</div>", do, then, look) == ["written", "b"]


def test_a_form_with_a_field_called_id(page: Page) -> None:
    html = '<form data-key="f"><input name="id" value="7"></form>'
    assert (
        after(page, html, "() => { window.form = find('form'); }", html + "<p>x</p>", "find('form') === form") is True
    )


def test_rows_of_a_table(page: Page) -> None:
    table = "<table><tbody>{}</tbody></table>".format
    do = "() => { window.row = find('[data-key=b]'); }"
    look = "[row === find('[data-key=b]'), [...box.querySelectorAll('td')].map((cell) => cell.textContent)]"
    assert after(page, table(cells("a", "b")), do, table(cells("c", "b", "a")), look) == [True, ["c", "b", "a"]]


def test_another_element_in_a_place_is_a_new_one(page: Page) -> None:
    then = '<b id="x">2</b>'
    assert after(page, '<i id="x">1</i>', "null", then, "box.innerHTML") == then


def test_five_hundred_rows_are_quick(page: Page) -> None:
    """The bound is for a busy machine: a tenth of it is usual."""
    page.evaluate("""() => {
        const numbers = [...Array(500).keys()];
        window.rows = (order, extra) => order(numbers).map((n) => `<li data-key=${n}>${n}${extra}</li>`).join("");
        to(rows((all) => all, ""));
    }""")
    took = page.evaluate("""() => {
        const html = rows((all) => all.toReversed(), "x");
        const since = performance.now();
        to(html);
        return performance.now() - since;
    }""")
    assert page.evaluate("[box.children.length, box.firstChild.textContent]") == [500, "499x"]
    assert took < 5000
