"""The phrasebook's sentence patterns: slots, then English | French | Spanish | Arabic."""
# A row of a table stays on one line, however long.
# ruff: noqa: E501

PATTERNS = """
p=place | where is the {p.bare}? | où {p[est/est/sont/sont]} {p.the} ? | ¿dónde está {p.the}? | أين {p.the}؟
p=place | is there {p.a} near here? | y a-t-il {p.a} près d'ici ? | ¿hay {p.a} cerca de aquí? | هل {p[يوجد/توجد]} {p.bare} بالقرب من هنا؟
p=place | I am looking for the {p.bare}. | je cherche {p.the}. | busco {p.the}. | أبحث عن {p.the}.
p=place | is the {p.bare} far? | {p.the} {p[est-il/est-elle/sont-ils/sont-elles]} loin ? | ¿está lejos {p.the}? | هل {p.the} {p[بعيد/بعيدة]}؟
p=place | how do I get to the {p.bare}? | comment aller {p.to} ? | ¿cómo se llega {p.to}? | كيف أصل إلى {p.the}؟
p=place | take me to the {p.bare}. | emmenez-moi {p.to}. | lléveme {p.to}. | خذني إلى {p.the}.
p=place | what time does the {p.bare} open? | à quelle heure {p[ouvre/ouvre/ouvrent/ouvrent]} {p.the} ? | ¿a qué hora abre {p.the}? | متى {p[يفتح/تفتح]} {p.the}؟
p=place | what time does the {p.bare} close? | à quelle heure {p[ferme/ferme/ferment/ferment]} {p.the} ? | ¿a qué hora cierra {p.the}? | متى {p[يغلق/تغلق]} {p.the}؟
p=place | I am at the {p.bare}. | je suis {p.to}. | estoy en {p.the}. | أنا في {p.the}.
p=place d=weekday | is the {p.bare} open on {d.bare}? | {p.the} {p[est-il ouvert/est-elle ouverte/sont-ils ouverts/sont-elles ouvertes]} le {d.bare} ? | ¿está {p[abierto/abierta]} {p.the} el {d.bare}? | هل {p.the} {p[مفتوح/مفتوحة]} يوم {d.bare}؟
p=place d=weekday | the {p.bare} is closed on {d.bare}. | {p.the} {p[est fermé/est fermée/sont fermés/sont fermées]} le {d.bare}. | {p.the} está {p[cerrado/cerrada]} el {d.bare}. | {p.the} {p[مغلق/مغلقة]} يوم {d.bare}.
p=place r=nearby | the {p.bare} is {r.bare}. | {p.the} {p[est/est/sont/sont]} {r.bare}. | {p.the} está {r.bare}. | {p.the} {r.bare}.
r=nearby | I am {r.bare}. | je suis {r.bare}. | estoy {r.bare}. | أنا {r.bare}.
p=place h=hour | the {p.bare} opens at {h.bare}. | {p.the} {p[ouvre/ouvre/ouvrent/ouvrent]} à {h.bare}. | {p.the} abre {h.bare}. | {p[يفتح/تفتح]} {p.the} في {h.bare}.
p=place h=hour | the {p.bare} closes at {h.bare}. | {p.the} {p[ferme/ferme/ferment/ferment]} à {h.bare}. | {p.the} cierra {h.bare}. | {p[يغلق/تغلق]} {p.the} في {h.bare}.
p=place h=hour | meet me at the {p.bare} at {h.bare}. | retrouvez-moi {p.to} à {h.bare}. | nos vemos en {p.the} {h.bare}. | قابلني في {p.the} في {h.bare}.
x=quantity | I would like {x.bare}. | je voudrais {x.bare}. | quisiera {x.bare}. | أريد {x.bare}.
x=quantity | can I have {x.bare}? | puis-je avoir {x.bare} ? | ¿me puede dar {x.bare}? | هل يمكنني الحصول على {x.bare}؟
x=quantity | I need {x.bare}. | j'ai besoin {x.de}. | necesito {x.bare}. | أحتاج إلى {x.bare}.
x=dishes f=food | I would like {x.bare} without {f.bare}. | je voudrais {x.bare} sans {f.bare}. | quisiera {x.bare} sin {f.bare}. | أريد {x.bare} بدون {f.bare}.
x=dishes f=food | I would like {x.bare} with {f.bare}. | je voudrais {x.bare} avec {f.of}. | quisiera {x.bare} con {f.bare}. | أريد {x.bare} مع {f.bare}.
i=item | how much is the {i.bare}? | combien coûte {i.the} ? | ¿cuánto cuesta {i.the}? | كم سعر {i.the}؟
x=quantity | how much are {x.bare}? | combien coûtent {x.bare} ? | ¿cuánto cuestan {x.bare}? | كم سعر {x.bare}؟
i=item n=price | the {i.bare} costs {n.bare} euros. | {i.the} coûte {n.bare} euros. | {i.the} cuesta {n.bare} euros. | سعر {i.the} {n.bare} يورو.
m=relative x=quantity | my {m.bare} would like {x.bare}. | {m.my} voudrait {x.bare}. | {m.my} quiere {x.bare}. | {m[يريد/تريد]} {m.my} {x.bare}.
i=item | where can I buy {i.a}? | où puis-je acheter {i.a} ? | ¿dónde puedo comprar {i.a}? | أين يمكنني شراء {i.bare}؟
f=food | I am allergic to {f.bare}. | je suis allergique {f.to}. | soy alérgico {f.to}. | لدي حساسية من {f.the}.
f=food m=relative | my {m.bare} is allergic to {f.bare}. | {m.my} est allergique {f.to}. | {m.my} es {m[alérgico/alérgica]} {f.to}. | {m.my} {m[لديه/لديها]} حساسية من {f.the}.
f=food | I do not eat {f.bare}. | je ne mange pas {f.de}. | no como {f.bare}. | أنا لا آكل {f.the}.
m=relative f=food | my {m.bare} does not eat {f.bare}. | {m.my} ne mange pas {f.de}. | {m.my} no come {f.bare}. | {m.my} لا {m[يأكل/تأكل]} {f.the}.
f=food | is there {f.bare} in this dish? | y a-t-il {f.of} dans ce plat ? | ¿lleva {f.bare} este plato? | هل يوجد {f.bare} في هذا الطبق؟
k=roomtype n=nights | I would like a {k.bare} room for {n.bare}. | je voudrais une chambre {k.bare} pour {n.bare}. | quisiera una habitación {k.bare} para {n.bare}. | أريد غرفة {k.bare} لمدة {n.bare}.
g=people n=nights | I would like a room for {g.bare} for {n.bare}. | je voudrais une chambre pour {g.bare} pour {n.bare}. | quisiera una habitación para {g.bare} para {n.bare}. | أريد غرفة تتسع ل{g.bare} لمدة {n.bare}.
g=people h=hour | I would like a table for {g.bare} at {h.bare}. | je voudrais une table pour {g.bare} à {h.bare}. | quisiera una mesa para {g.bare} {h.bare}. | أريد طاولة تتسع ل{g.bare} في {h.bare}.
g=people d=weekday | I would like to reserve a table for {g.bare} for {d.bare}. | je voudrais réserver une table pour {g.bare} pour {d.bare}. | quisiera reservar una mesa para {g.bare} para el {d.bare}. | أريد حجز طاولة تتسع ل{g.bare} يوم {d.bare}.
n=nights d=weekday | I am staying for {n.bare} from {d.bare}. | je reste {n.bare} à partir de {d.bare}. | me quedo {n.bare} desde el {d.bare}. | سأبقى لمدة {n.bare} ابتداءً من يوم {d.bare}.
t=fitting | the {t.bare} does not work. | {t.the} ne marche pas. | {t.the} no funciona. | {t.the} لا {t[يعمل/تعمل]}.
x=description | {x.bare}. | {x.bare}. | {x.bare}. | {x.bare}.
c=city x=tickets | I would like {x.bare} to {c.bare}. | je voudrais {x.bare} pour {c.bare}. | quisiera {x.bare} para {c.bare}. | أريد {x.bare} إلى {c.bare}.
c=city v=vehicle | what time does the {v.bare} to {c.bare} leave? | à quelle heure part {v.the} pour {c.bare} ? | ¿a qué hora sale {v.the} para {c.bare}? | متى {v[يغادر/تغادر]} {v.the} إلى {c.bare}؟
c=city v=vehicle | what time does the {v.bare} from {c.bare} arrive? | à quelle heure arrive {v.the} {c.de} ? | ¿a qué hora llega {v.the} de {c.bare}? | متى {v[يصل/تصل]} {v.the} من {c.bare}؟
c=city v=vehicle h=hour | the {v.bare} to {c.bare} leaves at {h.bare}. | {v.the} pour {c.bare} part à {h.bare}. | {v.the} para {c.bare} sale {h.bare}. | {v[يغادر/تغادر]} {v.the} إلى {c.bare} في {h.bare}.
c=city v=vehicle | is this the {v.bare} to {c.bare}? | est-ce {v.the} pour {c.bare} ? | ¿es {v[este/esta]} {v.the} para {c.bare}? | هل {v[هذا هو/هذه هي]} {v.the} إلى {c.bare}؟
c=city v=vehicle | how much is the {v.bare} to {c.bare}? | combien coûte {v.the} pour {c.bare} ? | ¿cuánto cuesta {v.the} para {c.bare}? | كم سعر {v.the} إلى {c.bare}؟
v=vehicle p=place | does this {v.bare} go to the {p.bare}? | est-ce que ce {v.bare} va {p.to} ? | ¿{v[este/esta]} {v.bare} va {p.to}? | هل {v[يذهب هذا/تذهب هذه]} {v.the} إلى {p.the}؟
v=vehicle | I missed the {v.bare}. | j'ai raté {v.the}. | he perdido {v.the}. | لقد فاتني {v.the}.
v=vehicle | the {v.bare} is late. | {v.the} est en retard. | {v.the} llega tarde. | {v.the} {v[متأخر/متأخرة]}.
c=city | I am from {c.bare}. | je viens {c.de}. | soy de {c.bare}. | أنا من {c.bare}.
c=city | I live in {c.bare}. | j'habite à {c.bare}. | vivo en {c.bare}. | أسكن في {c.bare}.
c=city m=relative | my {m.bare} lives in {c.bare}. | {m.my} habite à {c.bare}. | {m.my} vive en {c.bare}. | {m[يسكن/تسكن]} {m.my} في {c.bare}.
c=city d=weekday | I am going to {c.bare} on {d.bare}. | je vais à {c.bare} {d.bare}. | voy a {c.bare} el {d.bare}. | سأذهب إلى {c.bare} يوم {d.bare}.
m=relative c=city d=weekday | my {m.bare} is going to {c.bare} on {d.bare}. | {m.my} va à {c.bare} {d.bare}. | {m.my} va a {c.bare} el {d.bare}. | {m[سيذهب/ستذهب]} {m.my} إلى {c.bare} يوم {d.bare}.
b=belonging | I have lost my {b.bare}. | j'ai perdu {b.my}. | he perdido {b.my}. | لقد فقدت {b.my}.
b=belonging | my {b.bare} was stolen. | on m'a volé {b.my}. | me han robado {b.my}. | لقد {b[سُرق/سُرقت]} {b.my}.
b=belonging | I cannot find my {b.bare}. | je ne trouve pas {b.my}. | no encuentro {b.my}. | لا أجد {b.my}.
b=belonging | where is my {b.bare}? | où est {b.my} ? | ¿dónde está {b.my}? | أين {b.my}؟
b=belonging p=place | I left my {b.bare} at the {p.bare}. | j'ai oublié {b.my} {p.to}. | he olvidado {b.my} en {p.the}. | لقد نسيت {b.my} في {p.the}.
b=belonging v=vehicle | I left my {b.bare} on the {v.bare}. | j'ai oublié {b.my} dans {v.the}. | he olvidado {b.my} en {v.the}. | لقد نسيت {b.my} في {v.the}.
x=condition | {x.bare}. | {x.bare}. | {x.bare}. | {x.bare}.
m=relative p=place | my {m.bare} is at the {p.bare}. | {m.my} est {p.to}. | {m.my} está en {p.the}. | {m.my} في {p.the}.
y=body | my {y.bare} hurts. | j'ai mal {y.to}. | me duele {y.the}. | أشعر بألم في {y.bare}.
w=worker | I need {w.a}. | j'ai besoin {w.dun}. | necesito {w.a}. | أحتاج إلى {w.bare}.
w=worker | call {w.a}! | appelez {w.a} ! | ¡llame a {w.a}! | اتصل ب{w.bare}!
w=worker p=place | is there {w.a} at the {p.bare}? | y a-t-il {w.a} {p.to} ? | ¿hay {w.a} en {p.the}? | هل {w[يوجد/توجد]} {w.bare} في {p.the}؟
d=weekday h=hour | see you on {d.bare} at {h.bare}. | à {d.bare}, à {h.bare}. | hasta el {d.bare} {h.bare}. | أراك يوم {d.bare} في {h.bare}.
h=hour | wake me at {h.bare}. | réveillez-moi à {h.bare}. | despiérteme {h.bare}. | أيقظني في {h.bare}.
h=hour | it is {h.bare}. | il est {h.bare}. | {h.it}. | {h.it}.
n=price | it costs {n.bare} euros. | ça coûte {n.bare} euros. | cuesta {n.bare} euros. | السعر {n.bare} يورو.
n=price | I can pay {n.bare} euros. | je peux payer {n.bare} euros. | puedo pagar {n.bare} euros. | يمكنني أن أدفع {n.bare} يورو.
j=long | I am here for {j.bare}. | je suis ici pour {j.bare}. | estoy aquí por {j.bare}. | سأبقى هنا لمدة {j.bare}.
p=place j=long | we are at the {p.bare} for {j.bare}. | nous sommes {p.to} pour {j.bare}. | estamos en {p.the} por {j.bare}. | سنبقى في {p.the} لمدة {j.bare}.
"""
