"""The texts the models learn from, and those kept apart to measure them.

Sources, given as paths on the command line because none of them is part of the repository:
  --books    a folder of public-domain books, `<author>/<title>.md` (the collection "classic-books-markdown")
  --stories  an extract of TinyStories in true case, stories separated by <|endoftext|>
  --lower    (optional) a longer extract of the same stories in lower case; the part after the end of --stories
             is used with its case restored from the statistics of --stories

Everything is normalised to one convention: straight quotes, "--" as a dash, one empty line between paragraphs.
"""
import collections
import os
import re

# Prose for children, or as plain as that. Learnt from in full by every model.
CHILDREN = """
Carlo Collodi/The Adventures of Pinocchio
The Brothers Grimm/Grimms' Fairy Tales
Oscar Wilde/The Happy Prince & Other Tales
Edith Nesbit/The Railway Children
Hans Christian Andersen/The Little Mermaid
L. Frank Baum/Dorothy and the Wizard in Oz
Lewis Carroll/Through the Looking-Glass
Louisa May Alcott/Little Men
Louisa May Alcott/An Old-Fashioned Girl
Lucy Maud Montgomery/Christmas Stories
James Stephens/Irish Fairy Tales
Kenneth Grahame/The Wind in the Willows
Gabrielle-Suzanne Barbot de Villeneuve/Beauty and the Beast
Henry van Dyke/The First Christmas Tree
Charles Dickens/Some Short Christmas Stories
Charles Dickens/A Christmas Carol
Jack London/The Call of the Wild
Oscar Wilde/The Canterville Ghost
"""

# Plain prose for grown-ups: among the highest shares of words that TinyStories also uses (`rank` prints them), in
# sentences of ordinary length; no plays, no verse, nothing whose subject is unfit for a model that ships as an example.
PLAIN = """
Arthur Conan Doyle/The Yellow Face
Arthur Conan Doyle/The Adventure of the Beryl Coronet
Arthur Conan Doyle/The Adventure of the Engineer's Thumb
Arthur Conan Doyle/The Adventure of the Dancing Men
Arthur Conan Doyle/The Man with the Twisted Lip
Arthur Conan Doyle/The Crooked Man
Arthur Conan Doyle/The Adventure of the Solitary Cyclist
Arthur Conan Doyle/The Greek Interpreter
Arthur Conan Doyle/The Adventure of the Red-Headed League
Arthur Conan Doyle/The Sign of the Four
Arthur Conan Doyle/The Valley of Fear
Grace Livingston Hill/The Enchanted Barn
Anthony Hope/The Heart of Princess Osra
Anthony Hope/Rupert of Hentzau
P.G. Wodehouse/My Man Jeeves
Willa Cather/Alexander's Bridge
Willa Cather/My Ántonia
Richard Harding Davis/In the Fog
Robert Louis Stevenson/Kidnapped
John Buchan/The Thirty-Nine Steps
George MacDonald/Phantastes
E.M. Forster/A Room with a View
Lucy Maud Montgomery/Rilla of Ingleside
Isaac Asimov/Youth
Barbara Constant/The Sound of Silence
Maxim Gorky/Twenty-six Men and a Girl
W.H. Hudson/A Crystal Age
Ivan Turgenev/First Love
"""

# Never learnt from: they measure.
HELD_OUT = """
L. Frank Baum/The Marvelous Land of Oz
Abbie Farwell Brown/The Christmas Angel
Arthur Conan Doyle/The Adventure of the Speckled Band
"""
HELD_OUT_STORIES = 116  # the last complete stories of --stories: 5 % of them


def names(block):
    return [line for line in block.strip().split("\n")]


def normalise(text):
    for old, new in (("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"'),
                     ("\u2013", "-"), ("\u2014", "--"), ("\u2026", "..."), ("\u00a0", " "), ("\r\n", "\n")):
        text = text.replace(old, new)
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{2,}", "\n\n", text).strip()


def book(folder, name):
    """A book's chapters as paragraphs, without its headings, footnote marks and emphasis marks."""
    with open(os.path.join(folder, name + ".md"), encoding="utf-8", errors="replace") as file:
        text = normalise(file.read())
    text = text.split("-------", 1)[-1]
    text = re.sub(r"\[\d+\]|\\(?=[*_\[\]])", "", text)
    text = re.sub(r"[*_]+([^*_\n]+)[*_]+", r"\1", text)
    chapters, paragraphs = [], []
    for paragraph in text.split("\n\n"):
        paragraph = re.sub(r"\n", " ", paragraph).strip()
        if not paragraph:
            continue
        if re.match(r"#|-{3,}|\*{3}|<|!\[|\|", paragraph) or re.fullmatch(r"[\W\dIVXLC]*", paragraph):
            if sum(map(len, paragraphs)) > 400:
                chapters.append(paragraphs)
                paragraphs = []
            continue
        paragraphs.append(paragraph)
    if paragraphs:
        chapters.append(paragraphs)
    return chapters


def passages(chapters, longest=4000):
    """Chapters cut between paragraphs into passages of at most about `longest` characters: one document each."""
    out = []
    for paragraphs in chapters:
        held, size = [], 0
        for paragraph in paragraphs:
            if held and size + len(paragraph) > longest:
                out.append("\n\n".join(held))
                held, size = [], 0
            held.append(paragraph)
            size += len(paragraph) + 2
        if held:
            out.append("\n\n".join(held))
    return out


def stories(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        parts = file.read().split("<|endoftext|>")
    complete = [normalise(re.sub(r"\n+", "\n\n", part.strip())) for part in parts[:-1]]  # the last one is cut off
    return [story for story in complete if len(story) > 80]


def case_model(samples):
    """For each lower-case word: the form in which it is mostly written inside a sentence, if that has a capital."""
    forms = collections.defaultdict(collections.Counter)
    for story in samples:
        for match in re.finditer(r"(?<=[a-z,;] )[A-Za-z][A-Za-z']*", story):
            word = match.group()
            forms[re.sub(r"'s$", "", word).lower()][re.sub(r"'s$", "", word)] += 1
    chosen = {}
    for word, counter in forms.items():
        form, count = counter.most_common(1)[0]
        if form != word and count >= 2 and count > 0.6 * sum(counter.values()):
            chosen[word] = form
    chosen["i"] = "I"
    return chosen


def restore_case(story, chosen):
    def word(match):
        text = match.group()
        stem, dot, rest = text.partition("'")
        return chosen.get(stem, stem) + dot + rest

    story = re.sub(r"[a-z][a-z']*", word, story)
    return re.sub(r'(^|[.!?]["\']?\s+"?|\n+"?|(?<=[,:] ")|(?<=^"))([a-z])',
                  lambda m: m.group(1) + m.group(2).upper(), story)


def lower_stories(path, known):
    """The stories of the lower-case extract that come after the last of `known`, with their case restored."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = normalise(file.read())
    last = re.sub(r"\s+", " ", known[-1].lower())[:60]
    position = text.find(last)
    if position < 0:
        raise SystemExit("the lower-case extract does not contain the last story of the true-case one")
    # There a story's paragraphs are separated by an empty line and the stories by a single line end.
    parts = re.split(r"(?<!\n)\n(?!\n)", text[position:])
    chosen = case_model(known)
    return [restore_case(part.strip(), chosen) for part in parts[2:-1] if len(part) > 200]


def corpus(books, story_file, lower_file=None):
    """{name: [document]} to learn from, {name: [document]} to measure with."""
    complete = stories(story_file)
    learn = {"stories": complete[:-HELD_OUT_STORIES]}
    if lower_file:
        learn["restored"] = lower_stories(lower_file, complete)
    for group, block in (("children", CHILDREN), ("plain", PLAIN)):
        learn[group] = [text for name in names(block) for text in passages(book(books, name))]
    measure = {"TinyStories, last 116 stories": complete[-HELD_OUT_STORIES:]}
    for name in names(HELD_OUT):
        measure[name.split("/")[1]] = passages(book(books, name))
    return learn, measure


def rank(books, story_file):
    """Prints, for every book, the share of its words that TinyStories uses, words a sentence, characters a word."""
    seen = collections.Counter(re.findall(r"[a-z']+", " ".join(stories(story_file)).lower()))
    rows = []
    for author in sorted(os.listdir(books)):
        for title in sorted(os.listdir(os.path.join(books, author))):
            text = " ".join(" ".join(chapter) for chapter in book(books, f"{author}/{title[:-3]}"))
            words = re.findall(r"[a-z']+", text.lower())
            if words:
                sentences = len(re.split(r'[.!?]+["\']?\s', text))
                rows.append((sum(seen[w] >= 3 for w in words) / len(words), len(words) / sentences,
                             sum(map(len, words)) / len(words), len(text), f"{author}/{title[:-3]}"))
    print("familiar\twords_per_sentence\tcharacters_per_word\tcharacters\tbook")
    for row in sorted(rows, reverse=True):
        print("%.3f\t%.1f\t%.2f\t%d\t%s" % row)


if __name__ == "__main__":
    import argparse
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["rank", "show"])
    parser.add_argument("--books", required=True)
    parser.add_argument("--stories", required=True)
    parser.add_argument("--lower")
    options = parser.parse_args()
    if options.command == "rank":
        rank(options.books, options.stories)
    else:
        learn, measure = corpus(options.books, options.stories, options.lower)
        for kind, parts in (("learn", learn), ("measure", measure)):
            for name, documents in parts.items():
                print(f"{kind}\t{name}\t{len(documents)} documents\t{sum(map(len, documents))} characters")
