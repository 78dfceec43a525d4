import CKernels

/// The operations as Docs/Design.md defines them, one element after another: what every table must equal to the bit.
enum OperationReference {
    /// Lanes folded 8, 4, 2, 1.
    static func fold<Number: BinaryFloatingPoint>(_ lanes: [Number]) -> Number {
        var lanes = lanes
        for width in [8, 4, 2, 1] {
            for lane in 0..<width { lanes[lane] += lanes[lane + width] }
        }
        return lanes[0]
    }

    /// One chain along the inputs, ascending, for each output.
    static func product(_ weight: [[Float]], _ row: [Float]) -> [Float] {
        weight.map { weights in
            var chain: Float = 0
            for (w, x) in zip(weights, row) { chain = chain.addingProduct(w, x) }
            return chain
        }
    }

    /// Element i belongs to lane i mod 16; each lane ascends.
    static func norm(_ x: [Float], weight: [Float], bias: [Float]?, epsilon: Float, subtractsMean: Bool) -> [Float] {
        var mean: Float = 0
        if subtractsMean {
            var sums = [Float](repeating: 0, count: 16)
            for (i, value) in x.enumerated() { sums[i % 16] += value }
            mean = fold(sums) / Float(x.count)
        }
        var squares = [Float](repeating: 0, count: 16)
        for (i, value) in x.enumerated() { squares[i % 16].addProduct(value - mean, value - mean) }
        let inverse = 1 / (fold(squares) / Float(x.count) + epsilon).squareRoot()
        return x.indices.map { i in
            let value = (x[i] - mean) * inverse
            return bias.map { $0[i].addingProduct(value, weight[i]) } ?? value * weight[i]
        }
    }

    /// What a set of slots contributes to a query's answer.
    struct Attended {
        var largest: Float
        var sum: Float
        var values: [Float]

        mutating func merge(_ next: Attended) {
            let together = max(largest, next.largest)
            let keep = apus_expf(largest - together)
            let gain = apus_expf(next.largest - together)
            sum = (next.sum * gain).addingProduct(sum, keep)
            for d in values.indices { values[d] = (next.values[d] * gain).addingProduct(values[d], keep) }
            largest = together
        }
    }

    /// Attention of one query over slots low..<high: blocks of 128 slots from zero, merged ascending into spans of 512,
    /// spans merged ascending. keys and values: [slot][element].
    static func attention(
        _ query: [Float], keys: [[Float]], values: [[Float]], low: Int, high: Int, scale: Float
    ) -> [Float] {
        var total: Attended?
        var span: Attended?
        var block = low / 128 * 128
        while block < high {
            if block % 512 == 0, let done = span {
                if total == nil { total = done } else { total!.merge(done) }
                span = nil
            }
            let slots = max(low, block)..<min(high, block + 128)
            let scores = slots.map { slot in
                zip(query, keys[slot]).reduce(Float(0)) { $0.addingProduct($1.0, $1.1) } * scale
            }
            let largest = scores.max()!
            let weights = scores.map { apus_expf($0 - largest) }
            var lanes = [Float](repeating: 0, count: 16)
            var sums = [Float](repeating: 0, count: values[0].count)
            for (slot, weight) in zip(slots, weights) {
                lanes[slot % 16] += weight
                for d in sums.indices { sums[d].addProduct(weight, values[slot][d]) }
            }
            let attended = Attended(largest: largest, sum: fold(lanes), values: sums)
            if span == nil { span = attended } else { span!.merge(attended) }
            block += 128
        }
        if total == nil { total = span } else { total!.merge(span!) }
        return total!.values.map { $0 / total!.sum }
    }
}
