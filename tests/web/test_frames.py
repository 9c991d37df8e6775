"""A page that is filled in is the page that would have been rendered."""

from __future__ import annotations

from flask import Flask, render_template
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader

from idp.web.frames import filled_page

PAGE = """{% if one %}<p title="{{ one }}">{{ one }}</p>{% endif %}
<ul>{% for each in fixed %}<li>{{ each }} for {{ two or 'nobody' }}</li>{% endfor %}</ul>
<a href="{{ two }}">{{ person or 'anybody' }}</a>"""

app = Flask(__name__)
app.jinja_loader = DictLoader({"page.html": PAGE})
app.context_processor(lambda: {"person": "the first who came"})


@given(
    st.text() | st.sampled_from(["", "{{ two }}", "<b>'\"&amp;", "markx0x"]),
    st.text(),
    st.sampled_from([(), ("a", "<b>"), ("mark",)]),
)
def test_it_is_what_rendering_gives_whatever_the_words(
    one: str, two: str, fixed: tuple[str, ...]
) -> None:
    with app.test_request_context():
        filled = filled_page("page.html", {"fixed": fixed}, {"one": one, "two": two})
        rendered = render_template("page.html", fixed=fixed, one=one, two=two, person=None)
    assert filled == rendered


def test_a_frame_is_for_nobody_in_particular() -> None:
    with app.test_request_context():
        assert "anybody" in filled_page("page.html", {"fixed": ()}, {"one": "1", "two": "2"})
