"""What strangers type to run a script, to break a page, or to turn the text around theirs.

All are made here from parts, so that each way in meets each way to run. A payload that runs sets
`window.ran`, and one that becomes an element has the attribute `data-in`.
"""

from collections.abc import Iterable
from itertools import cycle, islice, product

RUN = "window.ran=1"
# How one gets out of where the text stands: nothing, an attribute, a script, a comment, a style, …
OUT_OF = (
    "",
    '">',
    "'>",
    "--></style></script>",
    "</textarea></title></noscript></template>",
    "</bdi></p></dd></button></select>",
)
# What would run by itself once it is markup.
MARKUP = (
    f"<script data-in>{RUN}</script>",
    f"<ScRiPt data-in src=data:text/javascript,{RUN}></sCrIpT>",
    f"<img data-in src=x: onerror={RUN}>",
    f"<svg data-in><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<svg data-in/onload={RUN}>",
    f"<body data-in onpageshow={RUN}>",
    f"<details data-in open ontoggle={RUN}>x</details>",
    f"<input data-in autofocus onfocus={RUN}>",
    f"<iframe data-in srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<object data-in data=data:text/html,<script>{RUN}</script>></object>",
    f"<video data-in><source onerror={RUN}></video>",
    f"<math data-in><mtext><table><mglyph><style><img src=x: onerror={RUN}>",
    "<meta data-in http-equiv=refresh content='0;url=data:text/html,x'>",
    "<base data-in href=//elsewhere.invalid/>",
    "<link data-in rel=stylesheet href=data:text/css,body{display:none}>",
    "<style data-in>main{display:none}</style>",
    f"<form data-in action=javascript:{RUN}><button>x</button></form>",
    f"<a data-in href=javascript:{RUN}>x</a>",
    "<template data-in shadowrootmode=open><slot></slot></template>",
    "<plaintext data-in>",
)
# What would run where the text becomes a part of an attribute, a script, an address or Markdown.
PIECES = (
    f'" onmouseover="{RUN}" autofocus onfocus="{RUN}" data-in="',
    f"' onmouseover='{RUN}' autofocus onfocus='{RUN}' data-in='",
    f"x onfocus={RUN} autofocus data-in",
    f"`-{RUN}-`",
    f"';{RUN};//",
    f'";{RUN};//',
    f"\\';{RUN};//",
    f"${{{RUN}}}",
    f"{{{{{RUN}}}}}",
    "{{ config }}{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}",
    "{{ ''.__class__.__mro__ }}",
    "%(name)s %s %d %n {0} {name} {0.__class__}",
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f"java\tscript:{RUN}",
    f"\x01javascript:{RUN}",
    f"data:text/html,<script data-in>{RUN}</script>",
    f"vbscript:{RUN}",
    f"[x](javascript:{RUN})",
    f"[x](JAVASCRIPT&#58;{RUN})",
    f"[x](data:text/html;base64,PHNjcmlwdD53aW5kb3cucmFuPTE8L3NjcmlwdD4= '{RUN}')",
    f"![x](x: 'onerror={RUN}')",
    f'![x" onerror="{RUN}](x:)',
    f"<javascript:{RUN}>",
    f"[x]: javascript:{RUN}\n\n[x]",
    f"```html\n<script data-in>{RUN}</script>\n```",
    f"| <img data-in src=x: onerror={RUN}> |\n| --- |\n| <svg data-in onload={RUN}> |",
    f"# <script data-in>{RUN}</script>",
    f"> <img data-in src=x: onerror={RUN}>",
    f"&lt;script data-in&gt;{RUN}&lt;/script&gt;",
    f"&#60;img data-in src=x: onerror={RUN}&#62;",
    f"%3Cscript data-in%3E{RUN}%3C/script%3E",
    f"\\u003cscript data-in\\u003e{RUN}\\u003c/script\\u003e",
    f"\uff1cscript data-in\uff1e{RUN}\uff1c/script\uff1e",
    f"<scr<script>ipt data-in>{RUN}</scr</script>ipt>",
    f"<scr\x00ipt data-in>{RUN}</script>".replace("\x00", "\u200b"),
    f"<img data-in src=x: one\u200brror={RUN}>",
    f"<!--><img data-in src=x: onerror={RUN}>-->",
    f"<![CDATA[<script data-in>{RUN}</script>]]>",
    f"<?xml version='1.0'?><script data-in>{RUN}</script>",
    "event: done\ndata: {}\n\n",
    "\r\nSet-Cookie: caravan=x\r\n\r\n",
    '{"__proto__":{"ran":1}}',
    '=HYPERLINK("data:text/html,x")',
)
# The directional controls: alone, unclosed, wrongly closed, nested, about right-to-left words.
LRE, RLE, PDF, LRO, RLO = "\u202a", "\u202b", "\u202c", "\u202d", "\u202e"
LRI, RLI, FSI, PDI = "\u2066", "\u2067", "\u2068", "\u2069"
ARABIC = "\u062c\u0645\u0644"
BIDI = (
    *(f"{control}gpj.exe" for control in (LRE, RLE, LRO, RLO, LRI, RLI, FSI)),
    *(f"{end}name" for end in (PDF, PDI, PDI * 5, PDF * 5, PDF + PDI)),
    *(f"{PDI}{control}abc" for control in (LRE, RLE, LRO, RLO, LRI, RLI, FSI)),
    *(f"{a}{b}abc{PDI}{PDF}" for a, b in product((RLE, RLO), (LRI, RLI, FSI))),
    *(f"{a}{b}abc{PDF}{PDI}" for a, b in product((LRI, RLI), (RLE, RLO, LRO))),
    *(f"{control}{ARABIC} 12 (b) {ARABIC}" for control in (RLO, LRO, RLE, LRI, RLI)),
    f"{ARABIC} C++ (1)!",
    f"{ARABIC}\u200f!\u200e?",
    f"a\u061c{ARABIC}\u061cb",
    f"{RLO * 130}deep{PDF * 3}",
    f"{RLI * 130}deep{PDI * 3}",
    f"a\u2028{RLO}b\u2029c",
    f"{RLO}one\n{PDI}two\n{PDF}three",
)
# What stretches a page.
WIDE = (
    "W" * 400,
    "https://example.org/" + "a/" * 150,
    "\u0645" * 300,
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e" * 30,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 40,
    "\ufdfd" * 40,
    "\n".join(f"line {number}" for number in range(10)),
    "\u00a0" * 200 + "end",
)

PAYLOADS = (
    *(way + markup for way, markup in product(OUT_OF, MARKUP)),
    *PIECES,
    *BIDI,
    *WIDE,
)


class Strangers:
    """People who write payloads into every field, each text beginning with the field's name.

    Args:
        each: how many payloads go into one field, the next ones into the next field; without it
            every field has all of them.

    Attributes:
        fields: the names of the fields that were written so far.
    """

    def __init__(self, each: int | None = None) -> None:
        self._each = each
        self._next = cycle(PAYLOADS)
        self.fields: set[str] = set()

    def packed(self, field: str) -> str:
        """Payloads in one text of many lines."""
        return self._text(field, PAYLOADS if self._each is None else islice(self._next, self._each))

    def line(self, field: str) -> str:
        """Payloads in one line."""
        return " ".join(self.packed(field).split("\n"))

    def all(self, field: str) -> str:
        """Every payload, whatever the other fields get."""
        return self._text(field, PAYLOADS)

    def _text(self, field: str, payloads: Iterable[str]) -> str:
        self.fields.add(field)
        return f"field-{field} " + "\n\n".join(payloads)
