internal import ArgumentParser
struct Chat: ParsableCommand {}
