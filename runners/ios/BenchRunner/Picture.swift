// The picture that every network is shown: NumPy's default_rng(0).standard_normal((1, 3, n, n), float32), as
// bench/agent/drivers/picture.py draws it (PCG64, then a ziggurat of 256 strips in single precision); a test there
// compares with NumPy. NOT RUN HERE on a phone or a Mac, see ../README.md.

import Foundation

func picture(_ resolution: Int) -> [Float] {
    var normals = Normals()
    return (0..<3 * resolution * resolution).map { _ in normals.next() }
}

private struct Words {
    private var high: UInt64 = 0x1aa1_b534_5996_452d, low: UInt64 = 0x0958_5eb7_a695_61e3
    private var pending: UInt32?

    mutating func next() -> UInt32 {
        if let word = pending {
            pending = nil
            return word
        }
        let (timesHigh, timesLow): (UInt64, UInt64) = (0x2360_ed05_1fc6_5da4, 0x4385_df64_9fcc_f645)
        let product = low.multipliedFullWidth(by: timesLow)
        let (sum, carries) = product.low.addingReportingOverflow(0x5881_33bc_4478_73a9)
        high = product.high &+ high &* timesLow &+ low &* timesHigh &+ 0x418d_dadb_3af7_1a82 &+ (carries ? 1 : 0)
        low = sum
        let (folded, turn) = (high ^ low, high >> 58)
        let drawn = (folded >> turn) | (folded << ((64 - turn) & 63))
        pending = UInt32(truncatingIfNeeded: drawn >> 32)
        return UInt32(truncatingIfNeeded: drawn)
    }
}

private struct Normals {
    private static let tail = 3.6541528853610088, places = Double(1 << 23)
    private var words = Words()
    private let limits: [UInt32], widths: [Float], heights: [Float]

    init() {
        let (tail, places) = (Normals.tail, Normals.places)
        let area = tail * exp(-0.5 * tail * tail) + (Double.pi / 2).squareRoot() * erfc(tail / 2.0.squareRoot())
        var edges = [Double](repeating: tail, count: 256)
        for strip in stride(from: 254, to: 0, by: -1) {
            let above = edges[strip + 1]
            edges[strip] = (-2 * log(area / above + exp(-0.5 * above * above))).squareRoot()
        }
        edges[0] = area / exp(-0.5 * tail * tail)
        limits = [UInt32(tail / edges[0] * places), 0] + (2..<256).map { UInt32(edges[$0 - 1] / edges[$0] * places) }
        widths = edges.map { Float($0 / places) }
        heights = [1] + edges[1...].map { Float(exp(-0.5 * $0 * $0)) }
    }

    mutating func next() -> Float {
        while true {
            let word = words.next()
            let (strip, place) = (Int(word & 0xff), word >> 9)
            let value = Float(place) * widths[strip] * (word & 0x100 == 0 ? 1 : -1)
            if place < limits[strip] { return value }
            if strip == 0 { return beyondTail(isNegative: (place >> 8) & 1 == 1) }
            let height = (heights[strip - 1] - heights[strip]) * uniform() + heights[strip]
            if Double(height) < exp(-0.5 * Double(value) * Double(value)) { return value }
        }
    }

    private mutating func uniform() -> Float { Float(words.next() >> 8) / Float(1 << 24) }

    private mutating func beyondTail(isNegative: Bool) -> Float {
        while true {
            let beyond = -Float(1 / Normals.tail) * log1p(-uniform())
            let below = -log1p(-uniform())
            if below + below > beyond * beyond {
                return isNegative ? -(Float(Normals.tail) + beyond) : Float(Normals.tail) + beyond
            }
        }
    }
}
