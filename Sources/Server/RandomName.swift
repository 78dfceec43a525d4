/// Names that nobody can guess.
enum RandomName {
    /// 24 letters and digits: 123 bits.
    static func make() -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        var generator = SystemRandomNumberGenerator()
        return String((0..<24).map { _ in letters[Int.random(in: 0..<letters.count, using: &generator)] })
    }
}
