"""Everything outside the grammar, and the one honest answer to it."""

from random import Random

FALLBACK = (
    "I am Caravan's small demo model and I have not learned this. "
    "For full answers, add a real LLaMA model: marketplace models add"
)

NAMES = """
Einstein Napoleon Shakespeare Mozart Cleopatra Newton Picasso Gandhi Tesla Darwin Socrates Mars
Jupiter Brazil Canada China India Kenya Norway Japan Texas Amazon Python JavaScript Linux Excel
""".split()

WORDS = """
about above accept account across action active actor address advice afraid against age agree
album algebra algorithm alien alone alphabet amount ancient angle animal answer apartment argue
army article artist atom attack aunt average axis baby balance ball band base basket battle bear
because become begin believe bench biology bird birthday blood blue board bone border boring boss
bottom brain branch brave break breathe bright bring broken brown build burn business butterfly
button calculate calendar camera camp cancer candle capital captain carbon career carry cat cause
century chance change chapter character cheap chemical chess choose circle citizen class client
climb clock cloud code collect colour comet command common company compare compile complex computer
concept conclude connect consider contract control copy corner correct country couple court cousin
create credit crime crowd culture current curve customer dance danger dark data dead debate debt
decide deep define degree democracy depend describe desert design desk detail device diagram
difference dinosaur direct discover discuss disease distance divide dog dolphin dragon dream dress
drive drop drum dust earth economy edge educate effect effort electric elephant empire empty energy
engine enjoy equal error escape essay estimate evening event evidence evolve example exist expert
explain explore eye face fact factory fail fall famous farm fashion fast fear feel fiction field
fight figure film final find finger finish flag flower fly follow football forest forget form
formula fox freedom function future galaxy game gas general genius ghost giant girl give glass goal
god gold government grammar grass gravity green ground group grow guess guitar habit hair half
happen harmony health heart heavy hero history holiday honest horse house human hundred hunt idea
imagine important improve increase inflation insect integer interest invent island jazz jewel joke
journal journey judge jump jungle justice kernel kick kid kind king kiss kitchen knight knowledge
language laptop large laugh law lazy leader leaf learn legal length lesson letter level light
limit line lion list listen literature lock logic loop luck lunar machine magic magnet major manage
marble marriage math matrix meaning measure melody member memory message metal meteor method middle
mind minister mirror model molecule moment monkey month moon motion mountain mouse movie muscle
music mystery nation nature neighbour nerve network neutral night noise north novel nuclear number
object ocean octopus office opinion orbit orchestra origin oxygen paint palace panda paper parade
parent parliament particle party past patient pattern peace pencil penguin perfect physics piano
picture pirate planet plant plastic poem poet poetry point poison polar policy politics population
power practice president prime print prison problem process profit program project promise proof
protein psychology puppet purple puzzle python quantum queen question quick rabbit race radio rain
random reason recipe record recursion red religion remember republic research result revolution
rhyme rhythm rich riddle river robot rocket root rule sail sand satellite science score screen
sculpture secret seed senate sentence series server shadow shape shark sheep shine silence silver
simple singer skill skeleton sky sleep snake snow society software soldier solve song soul sound
space sphere spider spirit sport star statue steel storm story strange strategy string strong
student style subject success sun surface surgery symbol system tail talent teacher team temple
tennis theorem theory thought thunder tiger time tiny title topic tornado tradition trap treasure
tree triangle tribe truth tunnel turtle twin uncle universe value vector version victory video
village violin virus vision volcano vote war wave weapon wheel whale winter wisdom wizard wolf woman
wonder world worm write yellow young zebra zero
""".split()

SYLLABLES = """
ba be bi bo bra cla cor da den dor dra fa fen fi flo gan gor gra hul in jo ka kel kri la len lo lum
ma mer mi mo nar ne no ol or pa pel plo qua ra ren ri ro sa sel sho sin ska sta ta ter ti tor tra
tu ul va ven vo wen wi xa yo zan zel zi zor
""".split()

QUESTIONS = (
    "What is {w}?",
    "Who was {n}?",
    "Explain {w} to a child.",
    "Explain how a {w} works.",
    "Write a poem about the {w}.",
    "Write a short story about a {w} and a {v}.",
    "Tell me a joke about a {w}.",
    "Why is the {w} {v}?",
    "What is the capital of {n}?",
    "How many {w}s are there in {n}?",
    "What is {d} plus {e}?",
    "What is {d} times {e}?",
    "Calculate {d} * {e} - {d}.",
    "Give me three ideas for a {w}.",
    "What is the difference between a {w} and a {v}?",
    "Summarise this text: {s}",
    "Summarise (brief):\n{s}",
    "Summarise (friendly):\n{s}",
    "Write a {n} function that sorts a {w}.",
    "def {w}({v}):\n    return {v} + {d}",
    "SELECT {w} FROM {v} WHERE id = {d};",
    "for {w} in range({d}): print({v})",
    '<div class="{w}">{v}</div>',
    '{{"{w}": {d}, "{v}": "{n}"}}',
    "Who won the {w} in {e}?",
    "When was {n} born?",
    "Is it true that {n} had a {w}?",
    "Can you book a {w} for me?",
    "What do you think about {w} and {v}?",
    "Plan a trip to {n} with a {w}.",
    "Translate {w} into {n}.",
    "How do I {w} my {v}?",
    "What should I {w} for the {v}?",
    "My {w} is a {v}.",
    "The {w} of the {v} is in {n}.",
    "I would like to {w} the {v}.",
    "Do you know {n}?",
    "Please {w} the {v} and the {w}.",
    "{s}",
    "{s} {s}",
    "{w}",
    "{w} {v}",
    "{z}",
    "{z} {w} {z}",
    "Where is the {z}?",
    "{d} {e} {d}",
    "{n} {w} {z} {v}?",
)


def pseudo_word(rng: Random) -> str:
    """Invent a word that no language has."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4)))


def strange_word(rng: Random) -> str:
    """Draw a word the grammar does not teach, or invent one."""
    return pseudo_word(rng) if rng.random() < 0.4 else rng.choice(WORDS)


def strange_phrase(rng: Random) -> str:
    """Draw a text of a kind the model is not meant to answer."""
    draw = rng.random()
    length = rng.randint(60, 250) if draw > 0.97 else rng.randint(3, 14)
    words = [strange_word(rng) for _ in range(length)]
    salad = " ".join(words)
    if draw < 0.1 or draw > 0.97:
        return salad
    text = rng.choice(QUESTIONS).format(
        w=rng.choice(WORDS),
        v=rng.choice(WORDS),
        n=rng.choice(NAMES),
        d=rng.randint(2, 99),
        e=rng.randint(2, 2030),
        s=f"The {salad}.",
        z=pseudo_word(rng),
    )
    draw = rng.random()
    if draw < 0.15:
        return text.lower()
    return text.rstrip("?.") if draw < 0.25 else text
