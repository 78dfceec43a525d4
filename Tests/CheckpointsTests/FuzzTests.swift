import Testing

/// A short run of what Workshop/Fuzz does at length: damaged inputs end in acceptance or in a typed error, and what
/// is accepted can be read to its last byte. A trap ends the test process.
@Suite struct FuzzTests {
    @Test(arguments: FuzzSubject.Kind.allCases) func damagedInputs(kind: FuzzSubject.Kind) throws {
        try withTemporaryFolder { folder in
            let subject = try FuzzSubject(goldens: golden(""), scratch: folder)
            let accepted = (0..<800 as Range<UInt64>).filter { subject.run(kind, number: $0) }.count
            // Both outcomes must occur, or the damage is too light or too heavy to test anything.
            #expect(accepted > 0)
            #expect(accepted < 800)
        }
    }
}
