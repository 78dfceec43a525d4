"""Arithmetic to learn from: integer problems with their numbered steps, all generated, none taken from a benchmark.

Each problem is (question, steps, answer); the text of a solution is the steps, numbered, one a line, and last
`answer: N`. Every step states one operation on numbers already known, so a wrong step can be found by evaluating it.

  python sums.py --count 10 --seed 1            prints problems
"""
import argparse
import random

PEOPLE = "Anna Ben Carla David Ella Finn Grace Henry Iris Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tina Will".split()
THINGS = "apples books coins marbles shells stickers pencils buttons cards stones flowers eggs nuts stamps".split()
BOXES = "bags boxes baskets jars bowls".split()


def addition_steps(a, b, steps):
    """Column by column when a carry makes it worth while."""
    if a < 20 and b < 20 or (a % 10 + b % 10 < 10 and a < 100 and b < 100):
        steps.append(f"{a} + {b} = {a + b}")
        return a + b
    tens, ones = b - b % 10, b % 10
    if tens:
        steps.append(f"{a} + {tens} = {a + tens}")
    if ones:
        steps.append(f"{a + tens} + {ones} = {a + b}")
    return a + b


def subtraction_steps(a, b, steps):
    if b < 10 or a % 10 >= b % 10 and a < 100:
        steps.append(f"{a} - {b} = {a - b}")
        return a - b
    tens, ones = b - b % 10, b % 10
    steps.append(f"{a} - {tens} = {a - tens}")
    if ones:
        steps.append(f"{a - tens} - {ones} = {a - b}")
    return a - b


def product_steps(a, b, steps):
    """`b` has one digit; `a` is split into tens and ones."""
    tens, ones = a - a % 10, a % 10
    if not tens or not ones:
        steps.append(f"{a} * {b} = {a * b}")
        return a * b
    steps.append(f"{tens} * {b} = {tens * b}")
    steps.append(f"{ones} * {b} = {ones * b}")
    steps.append(f"{tens * b} + {ones * b} = {a * b}")
    return a * b


def division_steps(a, b, steps):
    steps.append(f"{a} / {b} = {a // b}")
    return a // b


def expression(r, limit):
    """A bare expression of two to four numbers, left to right within brackets."""
    steps, value = [], r.randint(2, limit)
    text = str(value)
    for index in range(r.choice([1, 1, 2, 2, 3])):
        kinds = ["+"] + (["-"] if value > 2 else []) + (["*"] if value < 100 else [])
        kinds += ["/"] if any(value % d == 0 for d in range(2, 10)) else []
        kind = r.choice(kinds)
        if index:
            text = f"({text})"
        if kind == "+":
            other = r.randint(1, limit)
            value = addition_steps(value, other, steps)
        elif kind == "-":
            other = r.randint(1, value)
            value = subtraction_steps(value, other, steps)
        elif kind == "*":
            other = r.randint(2, 9)
            value = product_steps(value, other, steps)
        else:
            other = r.choice([d for d in range(2, 10) if value % d == 0])
            value = division_steps(value, other, steps)
        text += f" {kind} {other}"
    return r.choice(["What is {}?", "Compute {}.", "{} = ?"]).format(text), steps, value


def story_more_and_fewer(r, limit):
    who, what = r.choice(PEOPLE), r.choice(THINGS)
    steps, a, b = [], r.randint(3, limit), r.randint(2, limit)
    question = f"{who} has {a} {what} and finds {b} more."
    value = addition_steps(a, b, steps)
    if r.random() < 0.7:
        c = r.randint(1, value)
        question += f" Then {who} gives {c} away."
        value = subtraction_steps(value, c, steps)
    return f"{question} How many {what} does {who} have now?", steps, value


def story_groups(r, limit):
    who, what, box = r.choice(PEOPLE), r.choice(THINGS), r.choice(BOXES)
    steps, a, b = [], r.randint(2, max(3, limit // 4)), r.randint(2, 9)
    question = f"{who} has {b} {box} with {a} {what} in each."
    value = product_steps(a, b, steps)
    if r.random() < 0.5:
        c = r.randint(1, limit)
        question += f" {who} buys {c} more {what}."
        value = addition_steps(value, c, steps)
    return f"{question} How many {what} does {who} have?", steps, value


def story_share(r, limit):
    first, what = r.choice(PEOPLE), r.choice(THINGS)
    steps, friends, each = [], r.randint(2, 9), r.randint(2, max(3, limit // 4))
    extra = r.randint(1, limit)
    total = friends * each
    if r.random() < 0.5 and total > extra:
        question = f"{first} had {total - extra} {what} and bought {extra} more."
        addition_steps(total - extra, extra, steps)
    else:
        question = f"{first} has {total} {what}."
    question += f" {first} shares them equally among {friends} friends. How many {what} does each friend get?"
    return question, steps, division_steps(total, friends, steps)


def story_compare(r, limit):
    first, second = r.sample(PEOPLE, 2)
    what = r.choice(THINGS)
    steps, a, more = [], r.randint(2, limit), r.randint(1, limit)
    question = f"{first} has {a} {what}. {second} has {more} more than {first}."
    b = addition_steps(a, more, steps)
    return f"{question} How many {what} do they have together?", steps, addition_steps(a, b, steps)


def story_cost(r, limit):
    who, what = r.choice(PEOPLE), r.choice(THINGS)
    steps, price, count = [], r.randint(2, 12), r.randint(2, 9)
    cost = product_steps(price, count, steps)
    paid = cost + r.randint(1, limit)
    question = f"{who} buys {count} {what} for {price} coins each and pays with {paid} coins. How many coins come back?"
    return question, steps, subtraction_steps(paid, cost, steps)


KINDS = [expression, expression, expression, story_more_and_fewer, story_groups, story_share, story_compare, story_cost]


def problem(r):
    """One problem; the sizes of its numbers are drawn first, so that small ones are common."""
    return r.choice(KINDS)(r, r.choice([10, 20, 50, 100, 100, 500]))


def solution(steps, answer):
    return "\n".join(f"{index}. {step}" for index, step in enumerate(steps, 1)) + f"\nanswer: {answer}"


def documents(count, seed):
    r = random.Random(seed)
    for _ in range(count):
        question, steps, answer = problem(r)
        yield f"{question}\n{solution(steps, answer)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for text in documents(options.count, options.seed):
        print(text, end="\n\n")
