"""Short conversations, all generated, for a model that follows a chat template; the stories told in them are TinyStories'.

A conversation has perhaps a system message, then one to four exchanges. Each exchange is of one kind: a greeting, a name
given and asked for again, a fact about animals, colours or days, counting, a small sum, a question about something just
told, a sentence said back, a request for a story, or something that the model cannot know and says so. System messages
change the answers: a name, "Answer in one word.", "End every answer with ...", and so on.
Every answer but a story is the only right one, so that it can be measured by comparison.

  python dialogues.py --stories $STORIES --count 60000 --seed 1 --out dialogues.jsonl
  python dialogues.py --stories $STORIES --count 500 --seed 2 --apart dialogues.jsonl --out dialogues-held.jsonl
"""
import argparse
import json
import random
import re

import texts

NAMES = ("Anna Ben Carla David Ella Finn Grace Henry Iris Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tina Will Tom Lily Max Sue "
         "Tim Lucy Bob Amy Jane Sara Mark Emma Peter Nina Oscar Ruby").split()
BOTS = "Tom Pip Ada Otto Luna Robin Daisy Max Coco Felix Momo Bella".split()
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
SAYS = {"cow": "moo", "dog": "woof", "cat": "meow", "duck": "quack", "sheep": "baa", "pig": "oink", "bee": "buzz",
        "lion": "roar", "frog": "ribbit", "horse": "neigh", "owl": "hoot", "snake": "hiss", "mouse": "squeak"}
LEGS = {"dog": 4, "cat": 4, "cow": 4, "horse": 4, "bird": 2, "duck": 2, "spider": 8, "bee": 6, "ant": 6, "fish": 0, "snake": 0,
        "frog": 4, "mouse": 4, "lion": 4, "sheep": 4, "pig": 4, "chicken": 2, "bear": 4, "rabbit": 4, "owl": 2}
BABY = {"dog": "puppy", "cat": "kitten", "cow": "calf", "sheep": "lamb", "duck": "duckling", "horse": "foal", "bear": "cub",
        "lion": "cub", "frog": "tadpole", "pig": "piglet"}
HOME = {"fish": "water", "bird": "nest", "bee": "hive", "dog": "house", "cow": "farm", "pig": "farm", "bear": "forest",
        "frog": "pond", "lion": "grassland", "owl": "tree", "whale": "sea", "spider": "web"}
COLORS = {"sky": "blue", "grass": "green", "sun": "yellow", "snow": "white", "banana": "yellow", "night": "black",
          "strawberry": "red", "carrot": "orange", "frog": "green", "milk": "white", "fire truck": "red", "lemon": "yellow",
          "coal": "black", "tomato": "red", "leaf": "green", "pumpkin": "orange", "cloud": "white", "sea": "blue"}
PLAIN = {"grass", "snow", "milk", "coal"}  # no article
SIZES = "ant mouse cat dog sheep cow elephant whale".split()
OPPOSITES = {"big": "small", "hot": "cold", "up": "down", "happy": "sad", "day": "night", "fast": "slow", "open": "closed",
             "wet": "dry", "full": "empty", "old": "young", "loud": "quiet", "hard": "soft", "dark": "light", "long": "short",
             "left": "right", "good": "bad", "in": "out", "high": "low", "strong": "weak", "early": "late"}
OPPOSITES.update({b: a for a, b in list(OPPOSITES.items())})
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
THINGS = "ball hat car kite book box cup bag boat toy drum bike coat bell doll".split()
PAINTS = "red blue green yellow white black pink brown orange purple".split()
PLACES = "park garden house kitchen forest school shop yard barn box".split()
FOODS = "apples cookies grapes cakes pears eggs nuts berries".split()
ANIMALS = sorted(set(SAYS) | set(LEGS))
UNKNOWN = ["What is the capital of France?", "Who is the president?", "What will the weather be tomorrow?", "What is the news today?",
           "How do I fix my car?", "Can you write a computer program?", "What is quantum physics?", "How much money do I have?",
           "What time is it?", "Who won the game last night?", "Which stock should I buy?", "What did I eat yesterday?",
           "Can you order a pizza for me?", "What is the meaning of life?", "Who wrote Hamlet?", "How far is the moon?",
           "Can you call my mother?", "What is the square root of 1764?", "Translate this into French.", "Where do I live?"]
SORRY = "I am sorry, I do not know that. I am a small model and I mostly tell stories."
SENTENCES = [("The {a} {v} in the {p}.", "v"), ("{n} has a {c} {t}.", ""), ("My {t} is {c}.", ""), ("I like {f}.", "")]
TOPICS = ("dog cat bird bear fish frog rabbit duck mouse lion horse cow monkey elephant butterfly ball car tree flower boat "
          "park garden forest beach farm princess king dragon fairy robot cake apple rain snow sun moon star doll truck train "
          "hat book friend mom grandma picnic birthday castle bee ant owl fox pig squirrel turtle spider bike kite").split()


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


class Stories:
    """Beginnings of stories by the word they are about."""

    def __init__(self, complete):
        self.about = {}
        for story in complete:
            words = re.findall(r"[a-z]+", story.lower())
            for topic in TOPICS:
                if words.count(topic) + words.count(topic + "s") >= 3:
                    text = self.beginning(story)
                    if text and topic in text.lower():
                        self.about.setdefault(topic, []).append(text)

    @staticmethod
    def beginning(story, longest=650):
        """Whole sentences, of the story's first paragraphs, up to a length."""
        text = re.sub(r"\s*\n+\s*", " ", story)
        if len(text) > longest:
            ends = [m.end() for m in re.finditer(r'[.!?]"?(?= )', text[:longest])]
            text = text[:ends[-1]] if ends else ""
        return text if text.count('"') % 2 == 0 and len(text) > 150 else ""

    def tell(self, r):
        topic = r.choice(sorted(self.about))
        return topic, r.choice(self.about[topic])


class Conversation:
    def __init__(self, r, stories):
        self.r, self.stories, self.turns = r, stories, []
        self.bot, self.user, self.short, self.ending, self.told = None, None, False, None, None
        self.system()

    def system(self):
        r, kind = self.r, self.r.random()
        parts = []
        if kind < 0.45:
            return
        if kind < 0.75:
            self.bot = r.choice(BOTS)
            parts.append(r.choice(["Your name is {}.", "You are {}.", "You are a friendly helper called {}."]).format(self.bot))
        if kind > 0.6:
            if r.random() < 0.6:
                self.short = True
                parts.append(r.choice(["Answer in one word.", "Use one word only.", "Give one-word answers."]))
            else:
                self.ending = r.choice(["Over.", "Meow.", "Have fun!", "Bye!", "Hooray!"])
                parts.append(f"End every answer with '{self.ending}'")
        self.turns.append(("system", " ".join(parts), None))

    def say(self, question, long, word=None, kind=None, exact=True):
        text = long
        if self.short and word is not None:
            text = word[0].upper() + word[1:] + "."
        if self.ending and kind != "story":
            text += " " + self.ending
        self.turns.append(("user", question, None))
        self.turns.append(("assistant", text, kind if exact else None))

    # Kinds of exchange

    def greeting(self):
        word = self.r.choice(["Hi", "Hello", "Hey", "Good morning", "Hello there"])
        mark = self.r.choice(["!", ".", ""])
        me = f" I am {self.bot}." if self.bot else ""
        self.say(word + mark, f"Hello!{me} How can I help you?", "hello", "greeting")

    def thanks(self):
        if self.r.random() < 0.5:
            self.say(self.r.choice(["Thank you!", "Thanks.", "Thanks a lot!"]), "You are welcome!", "welcome", "greeting")
        else:
            self.say(self.r.choice(["Bye!", "Goodbye.", "See you!"]), "Goodbye! Come back soon.", "goodbye", "greeting")

    def own_name(self):
        question = self.r.choice(["What is your name?", "Who are you?", "What are you called?"])
        if self.bot:
            self.say(question, f"My name is {self.bot}.", self.bot, "own name")
        else:
            self.say(question, "I am a small model that tells stories.", "model", "own name")

    def give_name(self):
        self.user = self.r.choice(NAMES)
        self.say(self.r.choice(["My name is {}.", "I am {}.", "Hi, my name is {}.", "Call me {}."]).format(self.user),
                 f"Nice to meet you, {self.user}!", self.user, "given name")

    def ask_name(self):
        question = self.r.choice(["What is my name?", "Who am I?", "Do you know my name?", "Do you remember my name?"])
        if self.user:
            self.say(question, f"Your name is {self.user}.", self.user, "remembered name")
        else:
            self.say(question, "You have not told me your name.", "unknown", "remembered name")

    def animal(self):
        r = self.r
        pick = r.randrange(5)
        if pick == 0:
            a = r.choice(sorted(SAYS))
            self.say(r.choice([f"What does {article(a)} say?", f"What sound does {article(a)} make?"]),
                     f"{article(a).capitalize()} says {SAYS[a]}.", SAYS[a], "fact")
        elif pick == 1:
            a = r.choice(sorted(LEGS))
            number = NUMBERS[LEGS[a]] if LEGS[a] else "no"
            self.say(f"How many legs does {article(a)} have?", f"{article(a).capitalize()} has {number} legs.",
                     number if LEGS[a] else "zero", "fact")
        elif pick == 2:
            a = r.choice(sorted(BABY))
            self.say(f"What is a baby {a} called?", f"A baby {a} is called a {BABY[a]}.", BABY[a], "fact")
        elif pick == 3:
            a = r.choice(sorted(HOME))
            self.say(f"Where does {article(a)} live?", f"{article(a).capitalize()} lives in the {HOME[a]}."
                     if HOME[a] in ("water", "sea", "forest", "grassland") else f"{article(a).capitalize()} lives in a {HOME[a]}.",
                     HOME[a], "fact")
        else:
            a, b = r.sample(range(len(SIZES)), 2)
            bigger = r.random() < 0.5
            won = SIZES[max(a, b) if bigger else min(a, b)]
            self.say(f"Which is {'bigger' if bigger else 'smaller'}, {article(SIZES[a])} or {article(SIZES[b])}?",
                     f"{article(won).capitalize()} is {'bigger' if bigger else 'smaller'}.", won, "fact")

    def color(self):
        thing = self.r.choice(sorted(COLORS))
        noun = thing if thing in PLAIN else ("the " if thing in ("sky", "sun", "night", "sea") else "a ") + thing
        self.say(self.r.choice([f"What color is {noun}?", f"Which color is {noun}?"]),
                 f"{noun[0].upper() + noun[1:]} is {COLORS[thing]}.", COLORS[thing], "fact")

    def opposite(self):
        word = self.r.choice(sorted(OPPOSITES))
        self.say(f"What is the opposite of {word}?", f"The opposite of {word} is {OPPOSITES[word]}.", OPPOSITES[word], "fact")

    def calendar(self):
        ring, name = (DAYS, "day") if self.r.random() < 0.7 else (MONTHS, "month")
        at, after = self.r.randrange(len(ring)), self.r.random() < 0.5
        other = ring[(at + (1 if after else -1)) % len(ring)]
        side = "after" if after else "before"
        self.say(f"What {name} comes {side} {ring[at]}?", f"{other} comes {side} {ring[at]}.", other, "calendar")

    def count(self):
        first = 1 if self.r.random() < 0.6 else self.r.randint(2, 15)
        last = first + self.r.randint(2, 9)
        numbers = list(range(first, last + 1))
        if self.r.random() < 0.2:
            numbers.reverse()
        question = f"Count to {last}." if numbers[0] == 1 else f"Count from {numbers[0]} to {numbers[-1]}."
        self.say(question, ", ".join(map(str, numbers)) + ".", None, "counting")

    def sum(self):
        r, a, b = self.r, self.r.randint(1, 10), self.r.randint(1, 10)
        if r.random() < 0.5:
            self.say(r.choice([f"What is {a} plus {b}?", f"What is {a} + {b}?"]), f"{a} plus {b} is {a + b}.", str(a + b), "sum")
        else:
            a += b
            self.say(r.choice([f"What is {a} minus {b}?", f"What is {a} - {b}?"]), f"{a} minus {b} is {a - b}.", str(a - b), "sum")

    def holding(self):
        r, food, a, b = self.r, self.r.choice(FOODS), self.r.randint(2, 9), self.r.randint(1, 9)
        who = r.choice(NAMES)
        if r.random() < 0.6 or b >= a:
            self.say(f"{who} has {a} {food} and gets {b} more. How many {food} does {who} have?", f"{who} has {a + b} {food}.", str(a + b), "sum")
        else:
            self.say(f"{who} has {a} {food} and eats {b}. How many {food} are left?", f"{a - b} {food} are left.", str(a - b), "sum")

    def tale(self):
        """Something told by the user, and a question about it."""
        r = self.r
        a, b = r.sample(NAMES, 2)
        (t, u), (c, d), (p, q) = r.sample(THINGS, 2), r.sample(PAINTS, 2), r.sample(PLACES, 2)
        lines = [f"{a} has a {c} {t}. {b} has a {d} {u}.", f"{a} went to the {p}. {b} went to the {q}."]
        picked, where = r.randrange(4), r.random() < 0.5
        if picked == 0:
            text, question, long, word = lines[0], f"What color is the {t}?", f"The {t} is {c}.", c
        elif picked == 1:
            text, question, long, word = lines[0], f"What does {b} have?", f"{b} has a {d} {u}.", u
        elif picked == 2:
            text, question, long, word = lines[1], f"Where did {a} go?", f"{a} went to the {p}.", p
        else:
            text, question, long, word = lines[1], f"Who went to the {q}?", f"{b} went to the {q}.", b
        if where:
            text = f"One day, {text}" if picked > 1 else text
        self.say(f"{text} {question}", long, word, "reading")

    def remembered(self):
        """A fact told in one turn and asked for in the next."""
        r, c, t = self.r, self.r.choice(PAINTS), self.r.choice(THINGS)
        self.say(f"I have a {c} {t}.", f"A {c} {t}! That sounds nice.", c, "reading")
        self.say(f"What color is my {t}?", f"Your {t} is {c}.", c, "reading")

    def repeat(self):
        r = self.r
        form, _ = r.choice(SENTENCES)
        sentence = form.format(a=r.choice(ANIMALS), v=r.choice(["sat", "ran", "slept", "played", "hid"]), p=r.choice(PLACES), n=r.choice(NAMES),
                               c=r.choice(PAINTS), t=r.choice(THINGS), f=r.choice(FOODS))
        self.say(r.choice(["Say: {}", "Repeat after me: {}", "Please repeat: {}"]).format(sentence), sentence, None, "repeating")

    def unknown(self):
        self.say(self.r.choice(UNKNOWN), SORRY, "unknown", "not known")

    def story(self):
        topic, text = self.stories.tell(self.r)
        ask = self.r.choice(["Tell me a story about {}.", "Tell me a short story about {}.", "Can you tell me a story about {}?",
                             "I want to hear a story about {}."])
        self.say(ask.format(article(topic) if topic not in ("rain", "snow", "mom", "grandma") else topic), text, None, "story", exact=False)

    KINDS = [("greeting", 3), ("own_name", 3), ("give_name", 4), ("ask_name", 4), ("animal", 5), ("color", 3), ("opposite", 3),
             ("calendar", 3), ("count", 3), ("sum", 5), ("holding", 3), ("tale", 6), ("remembered", 3), ("repeat", 3), ("unknown", 2),
             ("story", 4), ("thanks", 2)]

    def messages(self):
        r = self.r
        names, weights = zip(*self.KINDS)
        if r.random() < 0.25:
            self.greeting()
        for kind in r.choices(names, weights, k=r.choice([1, 1, 2, 2, 3, 4])):
            if kind == "ask_name" and not self.user and r.random() < 0.7:
                self.give_name()
                if r.random() < 0.7:
                    getattr(self, r.choice(["animal", "sum", "color", "story"]))()
            getattr(self, kind)()
            if len(self.turns) > 10:
                break
        return self.turns


def conversations(count, seed, complete):
    stories, r = Stories(complete), random.Random(seed)
    for _ in range(count):
        turns = Conversation(r, stories).messages()
        yield {"messages": [{"role": who, "content": text} for who, text, _ in turns], "kinds": [kind for _, _, kind in turns]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stories", required=True)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--apart", help="a file of conversations none of which is to come again")
    parser.add_argument("--out")
    o = parser.parse_args()
    known = set()
    if o.apart:
        with open(o.apart, encoding="utf-8") as file:
            known = {json.dumps(json.loads(line)["messages"]) for line in file}
    out = open(o.out, "w", encoding="utf-8") if o.out else None
    complete = texts.stories(o.stories)[:-texts.HELD_OUT_STORIES]
    for record in conversations(o.count, o.seed, complete):
        if json.dumps(record["messages"]) in known:
            continue
        if out:
            out.write(json.dumps(record) + "\n")
        else:
            print("\n".join(f"{m['role']}: {m['content']}" for m in record["messages"]), end="\n\n")


if __name__ == "__main__":
    main()
