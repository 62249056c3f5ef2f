"""Words that agree: a noun, a quantity or an adjective in four languages, with its forms."""

from dataclasses import dataclass, field

VOWELS = "aeiouhéèêâîôœ"
HARD_H = ("hall",)
EN_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
FR_NUMBERS = ("un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix")
ES_NUMBERS = ("un", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez")
AR_NUMBERS_F = ("", "", "ثلاث", "أربع", "خمس", "ست", "سبع", "ثماني", "تسع", "عشر")
AR_NUMBERS_M = ("", "", "ثلاثة", "أربعة", "خمسة", "ستة", "سبعة", "ثمانية", "تسعة", "عشرة")


@dataclass(frozen=True)
class Term:
    """A word in one language; its forms read as attributes, its agreement by index.

    `"{x.the}"` gives a form and `"{x[ouvert/ouverte]}"` the one that agrees with it: masculine,
    feminine, then for plural words masculine plural and feminine plural.
    """

    bare: str
    gender: str = "m"
    is_plural: bool = False
    forms: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> str:
        try:
            return str(self.__dict__["forms"][name])
        except KeyError as missing:
            raise AttributeError(name) from missing

    def __getitem__(self, choices: str) -> str:
        options = choices.split("/")
        return options[(self.gender == "f") + 2 * (self.is_plural and len(options) > 2)]


@dataclass(frozen=True)
class Entry:
    """One meaning in the four languages."""

    en: Term
    fr: Term
    es: Term
    ar: Term

    @property
    def key(self) -> str:
        """The name of the meaning: its English."""
        return self.en.bare


def french(text: str, gender: str) -> Term:
    """Give a French noun its articles, contractions and elisions; `gender` is m, f, mp or fp."""
    elides = text[0].lower() in VOWELS and not text.startswith(HARD_H)
    if gender.endswith("p"):
        forms = {"the": f"les {text}", "a": f"des {text}", "to": f"aux {text}"}
        forms |= {"of": f"des {text}", "my": f"mes {text}"}
    elif elides:
        article = "un" if gender == "m" else "une"
        forms = {"the": f"l'{text}", "a": f"{article} {text}", "to": f"à l'{text}"}
        forms |= {"of": f"de l'{text}", "my": f"mon {text}"}
    elif gender == "m":
        forms = {"the": f"le {text}", "a": f"un {text}", "to": f"au {text}"}
        forms |= {"of": f"du {text}", "my": f"mon {text}"}
    else:
        forms = {"the": f"la {text}", "a": f"une {text}", "to": f"à la {text}"}
        forms |= {"of": f"de la {text}", "my": f"ma {text}"}
    forms["de"] = f"d'{text}" if elides else f"de {text}"
    return Term(text, gender[0], gender.endswith("p"), forms)


def spanish(text: str, gender: str) -> Term:
    """Give a Spanish noun its articles; `agua` and its like are written with gender `fa`."""
    is_plural = gender.endswith("p")
    masculine_article = gender[0] == "m" or gender == "fa"
    the = ("los" if gender[0] == "m" else "las") if is_plural else "el"
    the = the if is_plural or masculine_article else "la"
    a = ("unos" if gender[0] == "m" else "unas") if is_plural else "un"
    a = a if is_plural or masculine_article else "una"
    forms = {"the": f"{the} {text}", "a": f"{a} {text}", "to": f"a {the} {text}"}
    forms |= {"of": f"de {the} {text}", "my": f"{'mis' if is_plural else 'mi'} {text}"}
    if the == "el":
        forms |= {"to": f"al {text}", "of": f"del {text}"}
    return Term(text, gender[0], is_plural, forms)


def arabic(text: str, gender: str, the: str = "", my: str = "") -> Term:
    """Give an Arabic noun its definite form: `ال` before one word, spelled out for more."""
    return Term(text, gender[0], False, {"the": the or f"ال{text}", "my": my})


def english(text: str, plural: str = "") -> Term:
    """Give an English noun its articles and plural."""
    article = "an" if text[0] in "aeiou" and not text.startswith(("uni", "euro")) else "a"
    forms = {"the": f"the {text}", "a": f"{article} {text}", "my": f"my {text}"}
    return Term(text, "m", False, forms | {"pl": plural or f"{text}s"})


def quantity(n: int, entry: Entry) -> Entry:
    """Count a thing from 1 to 10, with each language's agreement of number and noun."""
    en = f"{EN_NUMBERS[n - 1]} {entry.en.pl if n > 1 else entry.en.bare}"
    if n == 1:
        fr, es = entry.fr.a, entry.es.a
        ar = f"{entry.ar.bare} {entry.ar['واحد/واحدة']}"
    else:
        fr = f"{FR_NUMBERS[n - 1]} {entry.fr.pl}"
        es = f"{ES_NUMBERS[n - 1]} {entry.es.pl}"
        # From three to ten an Arabic number takes the other gender than its noun.
        numbers = AR_NUMBERS_M if entry.ar.gender == "m" else AR_NUMBERS_F
        ar = entry.ar.dual if n == 2 else f"{numbers[n - 1]} {entry.ar.pl}"
    return Entry(Term(en), Term(fr), Term(es), Term(ar))
