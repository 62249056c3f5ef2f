"""What customers write about, how they feel, how much it presses, and what a shop answers."""

GREETINGS = ("Hello.", "Hi.", "Hello there.", "Good morning.", "Dear team.", "Hi team.", "Hey.")
THANKS = ("Thanks.", "Thank you.", "Kind regards.", "Best wishes.", "Cheers.")

PROBLEMS = {
    "delivery": (
        "my {p} has not arrived",
        "where is my {p}",
        "the {p} I ordered is late",
        "I am still waiting for my {p}",
        "when will my {p} be delivered",
        "the courier did not bring my {p}",
        "the tracking for my {p} has not changed for a week",
        "my parcel with the {p} is lost",
        "you sent my {p} to the wrong address",
        "has my {p} been shipped",
    ),
    "refund": (
        "I want my money back for the {p}",
        "please refund my {p}",
        "I returned the {p} but have no refund",
        "I would like to return the {p}",
        "how do I send the {p} back",
        "can I get a refund for the {p}",
        "I sent the {p} back and want my money",
        "the {p} is not for me and I want to return it",
    ),
    "billing": (
        "I was charged twice for the {p}",
        "the invoice for my {p} is wrong",
        "I need an invoice for the {p}",
        "my card was charged too much for the {p}",
        "I paid for the {p} but the payment failed",
        "the price of the {p} on my bill is wrong",
        "my discount code did not work for the {p}",
        "why did I pay tax on the {p}",
    ),
    "account": (
        "I cannot log in to see my {p} order",
        "I forgot my password and cannot order the {p}",
        "how do I change the email on my account for the {p}",
        "my account is locked and I want to buy the {p}",
        "I never got the email to confirm my account for the {p}",
        "please delete my account, I only bought the {p}",
        "how do I change my password to order the {p}",
    ),
    "fault": (
        "my {p} is broken",
        "the {p} arrived damaged",
        "the {p} does not work",
        "the {p} stopped working after a week",
        "there is a crack in my {p}",
        "a part of the {p} is missing",
        "the {p} fell apart",
        "my {p} came in the wrong colour",
        "the {p} smells bad",
        "the {p} was dirty when I opened the box",
    ),
    "cancel": (
        "please cancel my order for the {p}",
        "I want to cancel the {p}",
        "I ordered the {p} by mistake",
        "I do not need the {p} any more, cancel it",
        "can I still cancel my {p}",
        "stop my order of the {p}",
        "how do I cancel my subscription for the {p}",
    ),
    "question": (
        "is the {p} in stock",
        "do you have the {p} in blue",
        "what size is the {p}",
        "what is the {p} made of",
        "do you ship the {p} to Spain",
        "is the {p} a good gift",
        "how much is the {p}",
        "how do I clean the {p}",
        "does the {p} have a guarantee",
        "can I buy ten pieces of the {p}",
    ),
}

MOODS: dict[str, tuple[str, ...]] = {
    "calm": (),
    "happy": (
        "I love your shop",
        "your team is wonderful",
        "I am so happy with your service",
        "great shop, as always",
        "you are always so kind",
        "everything was perfect last time",
        "what a lovely shop",
    ),
    "worried": (
        "I am worried",
        "I am a little nervous about this",
        "I hope nothing is wrong",
        "I am not sure what to do",
        "this makes me anxious",
        "I fear something went wrong",
        "I am confused",
    ),
    "angry": (
        "I am very angry",
        "this is unacceptable",
        "your service is terrible",
        "I am furious",
        "this is the worst shop ever",
        "what a joke",
        "I am really annoyed",
        "never again",
    ),
}

URGENCIES: dict[str, tuple[str, ...]] = {
    "normal": (),
    "high": (
        "this is urgent",
        "I need an answer today",
        "please reply right now",
        "I need it by tomorrow",
        "it cannot wait",
        "the party is tonight",
        "please hurry",
        "answer me as soon as possible",
    ),
    "low": (
        "there is no rush",
        "take your time",
        "it is not urgent",
        "whenever you have a moment",
        "it can wait until next month",
        "no hurry at all",
        "answer when you can",
    ),
}

OPENINGS = {
    "calm": "Thank you for your message.",
    "happy": "Thank you for your kind words.",
    "worried": "Please do not worry, we are here to help.",
    "angry": "We are very sorry for this experience.",
}

STEPS = {
    "delivery": "We are asking the courier where your {p} is.",
    "refund": "You can send the {p} back free of charge, and we will refund you in full.",
    "billing": "We are checking the payment for your {p} and will correct any mistake.",
    "account": "We have sent you a link to open your account again and see your {p}.",
    "fault": "We are sorry about the {p} and will send you a new one free of charge.",
    "cancel": "We have stopped your order for the {p}, and you will not pay for it.",
    "question": "Our team will gladly tell you everything about the {p}.",
}

PROMISES = {
    "high": "You will hear from us within the hour.",
    "normal": "You will hear from us within one day.",
    "low": "You will hear from us this week.",
}
