"""The kinds of slot a phrasebook pattern may have, each a list of meanings."""

from functools import cache
from itertools import product

from models.grammar import nouns
from models.grammar.terms import Entry, Term, quantity

RELATIONS = """
next to | à côté | al lado | بجانب
opposite | en face | enfrente | مقابل
near | près | cerca | قرب
behind | derrière | detrás | خلف
in front of | devant | delante | أمام
"""
# French takes "de" after these, and a bare article after the others.
FRENCH_WITH_OF = ("à côté", "en face", "près")

QUALITIES = """
cold | froid/froide/froids/froides | está frío/fría | بارد/باردة
hot | chaud/chaude/chauds/chaudes | está caliente/caliente | ساخن/ساخنة
small | petit/petite/petits/petites | es pequeño/pequeña | صغير/صغيرة
big | grand/grande/grands/grandes | es grande/grande | كبير/كبيرة
dirty | sale/sale/sales/sales | está sucio/sucia | متسخ/متسخة
clean | propre/propre/propres/propres | está limpio/limpia | نظيف/نظيفة
expensive | cher/chère/chers/chères | es caro/cara | غالي الثمن/غالية الثمن
old | vieux/vieille/vieux/vieilles | es viejo/vieja | قديم/قديمة
noisy | bruyant/bruyante/bruyants/bruyantes | es ruidoso/ruidosa | صاخب/صاخبة
beautiful | beau/belle/beaux/belles | es bonito/bonita | جميل/جميلة
"""

DEGREES = (
    ("", "", "", ""),
    ("very ", "très ", "muy ", " جداً"),
    ("too ", "trop ", "demasiado ", " أكثر من اللازم"),
)

STATES = """
sick | est malade | está enfermo/enferma | مريض/مريضة
tired | est fatigué/est fatiguée | está cansado/cansada | متعب/متعبة
hungry | a faim | tiene hambre | جائع/جائعة
thirsty | a soif | tiene sed | عطشان/عطشى
lost | est perdu/est perdue | se ha perdido | ضائع/ضائعة
ready | est prêt/est prête | está listo/lista | جاهز/جاهزة
here | est ici | está aquí | هنا
late | est en retard | llega tarde | متأخر/متأخرة
"""

ROOM_TYPES = """
single | simple | individual | مفردة
double | double | doble | مزدوجة
quiet | calme | tranquila | هادئة
cheap | bon marché | barata | رخيصة
clean | propre | limpia | نظيفة
"""

WEEKDAYS = """
Monday | lundi | lunes | الاثنين
Tuesday | mardi | martes | الثلاثاء
Wednesday | mercredi | miércoles | الأربعاء
Thursday | jeudi | jueves | الخميس
Friday | vendredi | viernes | الجمعة
Saturday | samedi | sábado | السبت
Sunday | dimanche | domingo | الأحد
"""

HOURS = """
one | une heure | la una | الواحدة
two | deux heures | las dos | الثانية
three | trois heures | las tres | الثالثة
four | quatre heures | las cuatro | الرابعة
five | cinq heures | las cinco | الخامسة
six | six heures | las seis | السادسة
seven | sept heures | las siete | السابعة
eight | huit heures | las ocho | الثامنة
nine | neuf heures | las nueve | التاسعة
ten | dix heures | las diez | العاشرة
eleven | onze heures | las once | الحادية عشرة
twelve | douze heures | las doce | الثانية عشرة
"""


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


def _plain(en: str, fr: str, es: str, ar: str) -> Entry:
    return Entry(Term(en), Term(fr), Term(es), Term(ar))


def _hours() -> list[Entry]:
    entries = []
    for en, fr, es, ar in _rows(HOURS):
        verb = "es" if es == "la una" else "son"
        entries.append(
            Entry(
                Term(f"{en} o'clock"),
                Term(fr),
                Term(f"a {es}", forms={"it": f"{verb} {es}"}),
                Term(f"الساعة {ar}", forms={"it": f"إنها الساعة {ar}"}),
            )
        )
    return entries


def _nearby(places: list[Entry]) -> list[Entry]:
    entries = []
    for (en, fr, es, ar), place in product(_rows(RELATIONS), places):
        french = f"{fr} {place.fr.of if fr in FRENCH_WITH_OF else place.fr.the}"
        entries.append(
            _plain(f"{en} the {place.key}", french, f"{es} {place.es.of}", f"{ar} {place.ar.the}")
        )
    return entries


def _descriptions(subjects: list[Entry]) -> list[Entry]:
    entries = []
    for subject, quality, degree in product(subjects, _rows(QUALITIES), DEGREES):
        en, fr, es, ar = quality
        verb, _, spanish = es.partition(" ")
        entries.append(
            _plain(
                f"the {subject.key} is {degree[0]}{en}",
                f"{subject.fr.the} {subject.fr['est/est/sont/sont']} {degree[1]}{subject.fr[fr]}",
                f"{subject.es.the} {verb} {degree[2]}{subject.es[spanish]}",
                f"{subject.ar.the} {subject.ar[ar]}{degree[3]}",
            )
        )
    return entries


def _conditions(relatives: list[Entry]) -> list[Entry]:
    entries = []
    for relative, (en, fr, es, ar) in product(relatives, _rows(STATES)):
        verb, _, spanish = es.rpartition(" ")
        agreeing = f"{verb} {relative.es[spanish]}" if "/" in es else es
        entries.append(
            _plain(
                f"my {relative.key} is {en}",
                f"{relative.fr.my} {relative.fr[fr] if '/' in fr else fr}",
                f"{relative.es.my} {agreeing}",
                f"{relative.ar.my} {relative.ar[ar] if '/' in ar else ar}",
            )
        )
    return entries


def _quantities(things: list[Entry]) -> list[Entry]:
    entries = []
    for thing, n in product(things, range(1, 11)):
        entry = quantity(n, thing)
        french = entry.fr.bare
        entry.fr.forms["de"] = f"d'{french}" if n == 1 else f"de {french}"
        entries.append(entry)
    return entries


def _workers() -> list[Entry]:
    entries = nouns.nouns(nouns.PEOPLE)
    for entry in entries:
        entry.fr.forms["dun"] = f"d'{entry.fr.a}"
    return entries


@cache
def kinds() -> dict[str, list[Entry]]:
    """Every kind of slot by its name."""
    places = nouns.nouns(nouns.PLACES)
    items = nouns.counted(nouns.ITEMS)
    vehicles = nouns.nouns(nouns.VEHICLES)
    fittings = nouns.nouns(nouns.FITTINGS)
    relatives = nouns.owned(nouns.RELATIVES)
    night, person, day, hour = nouns.counted(nouns.COUNTED)
    subjects = places[:30] + fittings + vehicles + items[5:14]
    return {
        "place": places,
        "item": items,
        "vehicle": vehicles,
        "fitting": fittings,
        "relative": relatives,
        "city": nouns.names(nouns.CITIES),
        "belonging": nouns.owned(nouns.BELONGINGS),
        "body": nouns.owned(nouns.BODY),
        "food": nouns.nouns(nouns.FOODS),
        "worker": _workers(),
        "quantity": _quantities(items),
        "dishes": _quantities(items[:14]),
        "nights": _quantities([night]),
        "people": _quantities([person]),
        "long": _quantities([day, night, hour]),
        "tickets": _quantities([items[-1]]),
        "nearby": _nearby(places),
        "description": _descriptions(subjects),
        "condition": _conditions(relatives),
        "roomtype": [_plain(*row) for row in _rows(ROOM_TYPES)],
        "weekday": [_plain(*row) for row in _rows(WEEKDAYS)],
        "hour": _hours(),
        "price": [_plain(*[str(n)] * 4) for n in range(11, 100)],
    }
