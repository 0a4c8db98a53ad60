"""What a real page holds besides what is seen: scripts, styles, state, templates, pixels, comments.

None of it is shown, and it makes up nine tenths of a page. The big pieces are made once a shop.
"""

import json
from random import Random

from trainer.sessions.storefront.draws import below, between, pick, sample

_SYLLABLES = ("ad", "ax", "bo", "cel", "den", "fir", "gro", "hy", "ir", "jo", "kel", "lu", "mon", "nav", "or", "pix")
_PROPERTIES = ("margin", "padding", "color", "border-radius", "font-size", "line-height", "z-index", "width")

_STATEMENTS = (
    'var {a}={{"{b}":{n},"{c}":[{n},{m}],html:"<a href=\\"#\\">{b}</a>"}};',
    'function {a}({b}){{if({b}&&{b}.{c}<{n}){{return {b}.{c}("{a}")}}return {m}}}',
    "window.{a}=window.{a}||[];{a}.push(['{b}.{c}',{n}]);",
    "(function({b}){{for(var i=0;i<{n}&&i>-1;i++){{{b}[i]={b}[i]^{m}}}}})({a});",
    "// {a} {b}: keep <div class='{c}'> in sync & do not minify",
    "document.addEventListener('{b}',function(e){{e.detail&&{a}.{c}(e.detail,{n})}},false);",
)
_UNSEEN = (
    '<div style="display: none" id="{word}"><a href="/{word}">Protect it</a><button>No thanks</button></div>',
    '<template data-t="{word}"><div class=card><a href="#">[[ title ]]</a> [[ price ]]</div></template>',
    '<div aria-hidden="true" CLASS={word}><p>Skeleton<p>Loading&hellip;</div>',
    '<input type="hidden" name="csrf-{word}" value="{code}">',
    '<img src="https://pixel.example/t.gif?e={word}&u={code}" width=1 height=1 style="opacity:0">',
    "<!-- {word}: <div><a href='/old'>old menu</a></div> & more -->",
    '<iframe src="about:blank" title="{word}" hidden></iframe>',
)


class Clutter:
    """The unseen parts of a shop's pages."""

    def __init__(self, random: Random) -> None:
        self._words = ["".join(pick(random, _SYLLABLES) for _ in range(between(random, 2, 4))) for _ in range(400)]
        self._scripts = ["\n".join(self._statement(random) for _ in range(600)) for _ in range(8)]
        self._rows = [self._row(random) for _ in range(1000)]
        self._styles = ["\n".join(self._rule(random) for _ in range(500)) for _ in range(4)]

    def head(self, title: str, noise: Random) -> str:
        """The head of a page: the title, and much else."""
        scripts = "\n".join(f"<script>\n{script}\n</script>" for script in sample(noise, self._scripts, 4))
        styles = "\n".join(f'<style media="all">\n{style}</style>' for style in sample(noise, self._styles, 2))
        return f"""<HEAD><meta charset=utf-8><title>{title}</title>
<meta name="viewport" content="width=device-width"><meta property=og:title content="{title}">
<link rel="preload" as="style" href="/a/{_code(noise)}.css">
{styles}
<!-- sp:feature:head-start {_code(noise)} -->
{scripts}
<noscript><img src="/px?{_code(noise)}" alt=""></noscript></HEAD>"""

    def state(self, noise: Random, rows: int) -> str:
        """A blob of state, as frameworks leave it behind; about 300 characters a row."""
        first = below(noise, len(self._rows))
        found = (self._rows * 2)[first : first + rows]
        return f'<script type="application/json" id="state-{_code(noise)}">{{{",".join(found)}}}</script>'

    def attributes(self, noise: Random) -> str:
        """Attributes that mean nothing to a shopper."""
        names = f"{self._word(noise)}-{self._word(noise)} {self._word(noise)}__{below(noise, 99)}"
        props = f'{{"slot":{below(noise, 40)},"w":"{_code(noise)}"}}'
        return f"class=\"{names}\" data-csa-c-id={_code(noise)} data-component-props='{props}'"

    def all_unseen(self, noise: Random) -> str:
        """Every kind of it."""
        return "\n".join(text.format(word=self._word(noise), code=_code(noise)) for text in _UNSEEN)

    def unseen(self, noise: Random) -> str:
        """Markup that is there and is not shown."""
        return pick(noise, _UNSEEN).format(word=self._word(noise), code=_code(noise))

    def _word(self, noise: Random) -> str:
        return pick(noise, self._words)

    def _statement(self, random: Random) -> str:
        names = {slot: self._word(random) for slot in "abc"}
        return pick(random, _STATEMENTS).format(**names, n=below(random, 5000), m=below(random, 5000))

    def _row(self, random: Random) -> str:
        data = {
            "id": _code(random),
            "renderedHtml": f"<div><a href='/x/{_code(random)}'>{self._word(random)}<\\/a><\\/div>",
            "weights": [below(random, 10_000) / 100 for _ in range(10)],
            "flags": {self._word(random): bool(below(random, 2)) for _ in range(4)},
        }
        return f'"{self._word(random)}":{json.dumps(data)}'

    def _rule(self, random: Random) -> str:
        body = ";".join(f"{name}:{below(random, 96)}px" for name in sample(random, _PROPERTIES, 4))
        outline = f"#{below(random, 16**6):06x}"
        return f".{self._word(random)}-{self._word(random)}>.{self._word(random)}:hover{{{body};outline:{outline}}}"


def _code(noise: Random) -> str:
    return f"{below(noise, 16**10):010x}"
