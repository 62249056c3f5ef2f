"""The phrasebook's words: one line each, English | French | Spanish | Arabic.

A word is written `gender word`; a plural after `/`, an Arabic definite form after `=`.
"""
# A row of a table stays on one line, however long.
# ruff: noqa: E501

from models.grammar.terms import Entry, Term, arabic, english, french, spanish

PLACES = """
museum | m musée | m museo | m متحف
train station | f gare | f estación de tren | f محطة قطار=محطة القطار
airport | m aéroport | m aeropuerto | m مطار
hotel | m hôtel | m hotel | m فندق
bank | f banque | m banco | m بنك
pharmacy | f pharmacie | f farmacia | f صيدلية
hospital | m hôpital | m hospital | m مستشفى
market | m marché | m mercado | f سوق
beach | f plage | f playa | m شاطئ
restaurant | m restaurant | m restaurante | m مطعم
coffee shop | m café | f cafetería | m مقهى
post office | f poste | f oficina de correos | m مكتب بريد=مكتب البريد
police station | m commissariat | f comisaría | m مركز شرطة=مركز الشرطة
bakery | f boulangerie | f panadería | m مخبز
supermarket | m supermarché | m supermercado | m متجر كبير=المتجر الكبير
library | f bibliothèque | f biblioteca | f مكتبة
park | m parc | m parque | f حديقة عامة=الحديقة العامة
school | f école | f escuela | f مدرسة
university | f université | f universidad | f جامعة
mosque | f mosquée | f mezquita | m مسجد
church | f église | f iglesia | f كنيسة
castle | m château | m castillo | f قلعة
bridge | m pont | m puente | m جسر
harbour | m port | m puerto | m ميناء
bus stop | m arrêt de bus | f parada de autobús | m موقف حافلات=موقف الحافلات
ticket office | m guichet | f taquilla | m شباك تذاكر=شباك التذاكر
embassy | f ambassade | f embajada | f سفارة
theatre | m théâtre | m teatro | m مسرح
cinema | m cinéma | m cine | f سينما
swimming pool | f piscine | f piscina | m مسبح
old town | f vieille ville | m casco antiguo | f مدينة قديمة=المدينة القديمة
city centre | m centre-ville | m centro de la ciudad | m وسط مدينة=وسط المدينة
tourist office | m office de tourisme | f oficina de turismo | m مكتب سياحة=مكتب السياحة
exit | f sortie | f salida | m مخرج
entrance | f entrée | f entrada | m مدخل
lift | m ascenseur | m ascensor | m مصعد
toilet | fp toilettes | m baño | m حمام
bookshop | f librairie | f librería | f مكتبة تجارية=المكتبة التجارية
garden | m jardin | m jardín | f حديقة
tower | f tour | f torre | m برج
square | f place | f plaza | f ساحة
car park | m parking | m aparcamiento | m موقف سيارات=موقف السيارات
petrol station | f station-service | f gasolinera | f محطة وقود=محطة الوقود
kitchen | f cuisine | f cocina | m مطبخ
"""

ITEMS = """
coffee | m café/cafés | m café/cafés | f قهوة=القهوة/قهوتين/قهوات
tea | m thé/thés | m té/tés | m كوب شاي=كوب الشاي/كوبي شاي/أكواب شاي
orange juice/orange juices | m jus d'orange/jus d'orange | m zumo de naranja/zumos de naranja | m عصير برتقال=عصير البرتقال/عصيري برتقال/عصائر برتقال
bottle of water/bottles of water | f bouteille d'eau/bouteilles d'eau | f botella de agua/botellas de agua | f زجاجة ماء=زجاجة الماء/زجاجتي ماء/زجاجات ماء
glass of milk/glasses of milk | m verre de lait/verres de lait | m vaso de leche/vasos de leche | m كوب حليب=كوب الحليب/كوبي حليب/أكواب حليب
sandwich/sandwiches | m sandwich/sandwichs | m bocadillo/bocadillos | f شطيرة=الشطيرة/شطيرتين/شطائر
salad | f salade/salades | f ensalada/ensaladas | f سلطة=السلطة/سلطتين/سلطات
soup | f soupe/soupes | f sopa/sopas | m طبق حساء=طبق الحساء/طبقي حساء/أطباق حساء
cake | m gâteau/gâteaux | f tarta/tartas | f كعكة=الكعكة/كعكتين/كعكات
apple | f pomme/pommes | f manzana/manzanas | f تفاحة=التفاحة/تفاحتين/تفاحات
orange | f orange/oranges | f naranja/naranjas | f برتقالة=البرتقالة/برتقالتين/برتقالات
banana | f banane/bananes | m plátano/plátanos | f موزة=الموزة/موزتين/موزات
egg | m œuf/œufs | m huevo/huevos | f بيضة=البيضة/بيضتين/بيضات
pizza | f pizza/pizzas | f pizza/pizzas | f بيتزا=البيتزا/بيتزتين/بيتزات
map | m plan/plans | m mapa/mapas | f خريطة=الخريطة/خريطتين/خرائط
stamp | m timbre/timbres | m sello/sellos | m طابع بريد=طابع البريد/طابعي بريد/طوابع بريد
postcard | f carte postale/cartes postales | f postal/postales | f بطاقة بريدية=البطاقة البريدية/بطاقتين بريديتين/بطاقات بريدية
towel | f serviette/serviettes | f toalla/toallas | f منشفة=المنشفة/منشفتين/مناشف
pillow | m oreiller/oreillers | f almohada/almohadas | f وسادة=الوسادة/وسادتين/وسائد
blanket | f couverture/couvertures | f manta/mantas | f بطانية=البطانية/بطانيتين/بطانيات
key | f clé/clés | f llave/llaves | m مفتاح=المفتاح/مفتاحين/مفاتيح
plate | f assiette/assiettes | m plato/platos | m طبق=الطبق/طبقين/أطباق
spoon | f cuillère/cuillères | f cuchara/cucharas | f ملعقة=الملعقة/ملعقتين/ملاعق
chair | f chaise/chaises | f silla/sillas | m كرسي=الكرسي/كرسيين/كراس
newspaper | m journal/journaux | m periódico/periódicos | f جريدة=الجريدة/جريدتين/جرائد
shirt | f chemise/chemises | f camisa/camisas | m قميص=القميص/قميصين/قمصان
hat | m chapeau/chapeaux | m sombrero/sombreros | f قبعة=القبعة/قبعتين/قبعات
ticket | m billet/billets | m billete/billetes | f تذكرة=التذكرة/تذكرتين/تذاكر
"""

COUNTED = """
night | f nuit/nuits | f noche/noches | f ليلة=الليلة/ليلتين/ليال
person/people | f personne/personnes | f persona/personas | m شخص=الشخص/شخصين/أشخاص
day | m jour/jours | m día/días | m يوم=اليوم/يومين/أيام
hour | f heure/heures | f hora/horas | f ساعة=الساعة/ساعتين/ساعات
"""

VEHICLES = """
train | m train | m tren | m قطار
bus | m bus | m autobús | f حافلة
boat | m bateau | m barco | m قارب
plane | m avion | m avión | f طائرة
taxi | m taxi | m taxi | f سيارة أجرة=سيارة الأجرة
tram | m tramway | m tranvía | m ترام
"""

CITIES = """
Paris | Paris | París | باريس
Marseille | Marseille | Marsella | مرسيليا
Lyon | Lyon | Lyon | ليون
Madrid | Madrid | Madrid | مدريد
Barcelona | Barcelone | Barcelona | برشلونة
Seville | Séville | Sevilla | إشبيلية
Granada | Grenade | Granada | غرناطة
Amman | Amman | Amán | عمّان
Rabat | Rabat | Rabat | الرباط
Tunis | Tunis | Túnez | تونس
Beirut | Beyrouth | Beirut | بيروت
Rome | Rome | Roma | روما
London | Londres | Londres | لندن
Berlin | Berlin | Berlín | برلين
Lisbon | Lisbonne | Lisboa | لشبونة
Athens | Athènes | Atenas | أثينا
Istanbul | Istanbul | Estambul | إسطنبول
Damascus | Damas | Damasco | دمشق
Doha | Doha | Doha | الدوحة
Geneva | Genève | Ginebra | جنيف
Casablanca | Casablanca | Casablanca | الدار البيضاء
Tokyo | Tokyo | Tokio | طوكيو
"""

BELONGINGS = """
passport | m passeport | m pasaporte | m جواز سفري
phone | m téléphone | m teléfono | m هاتفي
wallet | m portefeuille | f cartera | f محفظتي
bag | m sac | m bolso | f حقيبتي
suitcase | f valise | f maleta | f حقيبة سفري
key | f clé | f llave | m مفتاحي
ticket | m billet | m billete | f تذكرتي
watch | f montre | m reloj | f ساعتي
coat | m manteau | m abrigo | m معطفي
umbrella | m parapluie | m paraguas | f مظلتي
hat | m chapeau | m sombrero | f قبعتي
computer | m ordinateur | m ordenador | m حاسوبي
ring | f bague | m anillo | m خاتمي
book | m livre | m libro | m كتابي
"""

RELATIVES = """
brother | m frère | m hermano | m أخي
sister | f sœur | f hermana | f أختي
wife | f femme | f esposa | f زوجتي
husband | m mari | m marido | m زوجي
son | m fils | m hijo | m ابني
daughter | f fille | f hija | f ابنتي
mother | f mère | f madre | f أمي
father | m père | m padre | m أبي
friend | m ami | m amigo | m صديقي
"""

BODY = """
head | f tête | f cabeza | m رأسي
stomach | m ventre | m estómago | f معدتي
back | m dos | f espalda | m ظهري
throat | f gorge | f garganta | m حلقي
arm | m bras | m brazo | f ذراعي
leg | f jambe | f pierna | f ساقي
foot | m pied | m pie | f قدمي
hand | f main | f mano | f يدي
knee | m genou | f rodilla | f ركبتي
ear | f oreille | m oído | f أذني
"""

PEOPLE = """
doctor | m médecin | m médico | m طبيب
dentist | m dentiste | m dentista | m طبيب أسنان=طبيب الأسنان
guide | m guide | m guía | m مرشد
interpreter | m interprète | m intérprete | m مترجم
lawyer | m avocat | m abogado | m محام=المحامي
nurse | f infirmière | f enfermera | f ممرضة
mechanic | m mécanicien | m mecánico | m ميكانيكي
policeman | m policier | m policía | m شرطي
"""

FOODS = """
sugar | m sucre | m azúcar | m سكر
milk | m lait | f leche | m حليب
salt | m sel | f sal | m ملح
meat | f viande | f carne | m لحم
cheese | m fromage | m queso | m جبن
ice | f glace | m hielo | m ثلج
lemon | m citron | m limón | m ليمون
garlic | m ail | m ajo | m ثوم
butter | m beurre | f mantequilla | f زبدة
fish | m poisson | m pescado | m سمك
chicken | m poulet | m pollo | m دجاج
rice | m riz | m arroz | m أرز
bread | m pain | m pan | m خبز
honey | m miel | f miel | m عسل
cream | f crème | f nata | f قشدة
pepper | m poivre | f pimienta | m فلفل
"""

FITTINGS = """
shower | f douche | f ducha | m دش
heating | m chauffage | f calefacción | f تدفئة
air conditioning | f climatisation | m aire acondicionado | m مكيف
television | f télévision | f televisión | m تلفاز
window | f fenêtre | f ventana | f نافذة
door | f porte | f puerta | m باب
lamp | f lampe | f lámpara | m مصباح
bed | m lit | f cama | m سرير
room | f chambre | f habitación | f غرفة
bathroom | f salle de bain | m cuarto de baño | m حمام
table | f table | f mesa | f طاولة
bill | f addition | f cuenta | f فاتورة
"""


def _gendered(cell: str) -> tuple[str, str]:
    gender, _, word = cell.partition(" ")
    return gender, word


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]


def _lines(table: str) -> list[str]:
    return [line for line in table.strip().splitlines() if line]


def nouns(table: str) -> list[Entry]:
    """Read a table of singular nouns."""
    entries = []
    for line in _lines(table):
        en, fr, es, ar = _cells(line)
        fr_gender, fr_word = _gendered(fr)
        es_gender, es_word = _gendered(es)
        ar_gender, ar_word = _gendered(ar)
        ar_word, _, ar_the = ar_word.partition("=")
        entries.append(
            Entry(
                english(en),
                french(fr_word, fr_gender),
                spanish(es_word, es_gender),
                arabic(ar_word, ar_gender, ar_the),
            )
        )
    return entries


def counted(table: str) -> list[Entry]:
    """Read a table of nouns with plurals (and the Arabic dual), to be counted."""
    entries = []
    for line in _lines(table):
        en, fr, es, ar = _cells(line)
        en_word, _, en_plural = en.partition("/")
        entry = nouns(f"{en_word} | {fr.split('/')[0]} | {es.split('/')[0]} | {ar.split('/')[0]}")
        entry[0].en.forms["pl"] = en_plural or f"{en_word}s"
        entry[0].fr.forms["pl"] = fr.split("/")[1]
        entry[0].es.forms["pl"] = es.split("/")[1]
        entry[0].ar.forms["dual"], entry[0].ar.forms["pl"] = ar.split("/")[1:]
        entries.extend(entry)
    return entries


def owned(table: str) -> list[Entry]:
    """Read a table of nouns whose Arabic is already mine (`أخي`, my brother)."""
    entries = nouns(table)
    for entry in entries:
        entry.ar.forms["my"] = entry.ar.bare
    return entries


def names(table: str) -> list[Entry]:
    """Read a table of names, which take no article."""
    entries = []
    for line in _lines(table):
        en, fr, es, ar = _cells(line)
        french_name = Term(fr, "m", False, {"de": french(fr, "m").de})
        entries.append(Entry(Term(en), french_name, Term(es), Term(ar)))
    return entries
