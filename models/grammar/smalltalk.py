"""Small talk about the store, with or without a system prompt."""
# A row of a table stays on one line, however long.
# ruff: noqa: E501

from random import Random

from models.grammar.example import Example, as_typed
from models.grammar.unknown import FALLBACK, pseudo_word, strange_phrase

SYSTEMS = (
    "",
    "",
    "",
    "You are a helpful assistant.",
    "You are Caravan's assistant.",
    "You are the assistant of the Caravan store. Answer briefly.",
    "You are a friendly assistant. Keep your answers short.",
)

TALK = """
hello | hi | hey | hello there | hi there | good morning | good evening | hey there | salam => Hello! I am Caravan's demo model. Ask me about the store, or open the phrasebook, copywriter or helpdesk app.
how are you | how are you doing | how is it going | how are things => I am well, thank you. What would you like to do?
thank you | thanks | thank you very much | many thanks | thanks a lot | great, thanks => You are welcome.
bye | goodbye | see you | see you later | good night => Goodbye, and safe travels.
who are you | what are you | what is your name | are you a robot | are you an ai | introduce yourself | who am I talking to => I am Caravan's demo model: a very small Llama, trained from scratch to show the store at work without a network.
what is caravan | what is this | what is this store | tell me about caravan | explain caravan | what is this site | what does caravan do => Caravan is a self-hosted app store for LLaMA. You can find small apps, try them on the page, buy them and run them, all on one shared model.
what can you do | help | help me | how can you help me | what do you know | what can I ask you | what can i do here => I can run the phrasebook, the copywriter and the helpdesk app, and answer a few questions about Caravan. For everything else, add a real LLaMA model: marketplace models add
how do I add a real llama | how do I add a model | how can I add a bigger model | how do I install a real model | add a real llama | how do I change the model | how do I use a better model | can I use another model | how do I get a real llama model => Run this command where the store is installed: marketplace models add. The new model then answers in every app.
which model is this | what model are you | which model do you use | how big are you | how many parameters do you have | are you llama | are you chatgpt => I am a Llama of a few million parameters in a file under ten megabytes. I know only my three apps and a little small talk.
what apps are there | which apps can I run | what apps do you have | show me the apps | list the apps | which apps are installed => The store comes with three apps: the phrasebook, the copywriter and the helpdesk.
what is the phrasebook | what does the phrasebook do | tell me about the phrasebook => The phrasebook translates travel phrases from English into French, Spanish and Arabic. It is free.
what is the copywriter | what does the copywriter do | tell me about the copywriter => The copywriter turns the facts about a product into a headline, a text and a call to action. It is free and shows an ad.
what is the helpdesk | what does the helpdesk do | tell me about the helpdesk => The helpdesk sorts a customer's message by topic, urgency and mood, and drafts a reply. You buy it once.
how do I buy an app | how do I pay | how can I buy something | how do payments work | how do I buy the helpdesk => Open the app's page and press the buy button. You see the price before you pay and the receipt after it.
how do I get a refund | can I get my money back | how do refunds work => Open your purchases, choose the app and ask for a refund. The money goes back the way it came.
how do I make an app | how do I write a plugin | how do I build an app | how do I become a developer | how do I start as a developer | can I write my own app => Run caravan new to start an app, write one Python function, and publish it with the caravan command. The guide for developers shows every step.
how do developers earn money | how do I earn money | how do I get paid | what do developers get => Developers earn from sales, subscriptions, use and ads. One ledger splits every payment and shows each share.
how do ads work | why do I see ads | what about ads => Some free apps have a place for an ad. The store shows it outside the app with a label, and the app cannot see it.
is it safe | are apps safe | is my data safe | how are apps kept safe | what is the sandbox | can an app read my files => Every app runs in a sandbox and can do only what you allowed. It sees neither your files nor your email.
who made you | who built caravan | who trained you | who wrote you => The makers of Caravan trained me from scratch on their own grammar. Both are free software.
is caravan free | what does it cost | is it free | what licence does caravan have => Caravan is free software. The apps in it may be free or paid.
do you speak arabic | do you speak french | do you speak spanish | which languages do you know | what languages do you speak => I talk in English. In the phrasebook app I translate travel phrases into French, Spanish and Arabic.
how do I search | how do I find an app | where do I find apps | where are the apps => Use the search field at the top of the store, or browse the categories.
how do I sign in | how do I create an account | how do I register | how do I log in => Press sign in at the top of the page and follow the steps.
what does a run cost | how do I see what it cost | where is my receipt | what is a receipt => After each run you see a receipt with the tokens, the time and the money it took.
do you need a gpu | can I run this without a gpu | do I need the internet | do you work offline => I run on any processor, without a GPU and without a network. A bigger model is quicker with a GPU.
are you smart | are you intelligent | can you think | can you learn | do you have feelings => I am only a small demo model. I repeat well what I was taught and know nothing else.
yes | ok | okay | no | sure | good | great | cool | nice => All right. What would you like to do next?
"""

STRANGE_SYSTEMS = (
    "Summarise the text.",
    "You are a poet.",
    "Answer in JSON.",
    "You are an expert in {w}.",
    "Classify the {w} as good or bad.",
    "Explain the code.",
    "Rewrite the text in a {w} tone.",
)


def _pairs() -> list[tuple[tuple[str, ...], str]]:
    pairs = []
    for line in TALK.strip().splitlines():
        asked, _, answer = line.partition(" => ")
        pairs.append((tuple(asked.split(" | ")), answer))
    return pairs


PAIRS = _pairs()
GREETERS = ("", "", "", "", "Hello, ", "Hi, ", "Please tell me, ", "Excuse me, ", "So, ")
QUESTION_WORDS = ("what", "how", "who", "which", "is", "are", "do", "does", "can", "where", "why")


def talk(rng: Random) -> Example:
    """Draw a question about the store and its answer."""
    asked, answer = rng.choice(PAIRS)
    text = rng.choice(asked)
    if text.split()[0] in QUESTION_WORDS:
        greeter = rng.choice(GREETERS)
        text = f"{greeter}{text}?" if greeter else f"{text[0].upper()}{text[1:]}?"
    else:
        text = f"{text[0].upper()}{text[1:]}{rng.choice(('.', '!', ''))}"
    text = text.replace("caravan?", "Caravan?").replace("llama", "LLaMA")
    return Example("smalltalk", _system(rng, 0.25), as_typed(text, rng), answer)


def unknown(rng: Random) -> Example:
    """Draw a general request, or an unknown app's prompt, answered with the fallback."""
    return Example("fallback", _system(rng, 0.4), strange_phrase(rng), FALLBACK)


def _system(rng: Random, strangeness: float) -> str:
    """Draw a system prompt, with this chance one that the model has never to obey."""
    if rng.random() >= strangeness:
        return rng.choice(SYSTEMS)
    if rng.random() < 0.3:
        return strange_phrase(rng)
    return rng.choice(STRANGE_SYSTEMS).format(w=pseudo_word(rng))
