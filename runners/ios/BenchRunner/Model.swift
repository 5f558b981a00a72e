// One Core ML model: compiled on the device, timed back to back by mach time. NOT RUN HERE on a phone or a Mac, see
// ../README.md.

import CoreML
import Foundation

private let timebase: (numer: UInt64, denom: UInt64) = {
    var info = mach_timebase_info_data_t()
    mach_timebase_info(&info)
    return (UInt64(info.numer), UInt64(info.denom))
}()

private let computeUnits: [String: MLComputeUnits] = [
    "all": .all, "cpu_only": .cpuOnly, "cpu_and_gpu": .cpuAndGPU, "cpu_and_ne": .cpuAndNeuralEngine,
]

/// A loaded model with its input in place.
final class Model {
    let loadMs: Double, firstMs: Double
    private let model: MLModel, input: MLDictionaryFeatureProvider, outputName: String
    private var last: MLMultiArray?

    /// `compiled` is an .mlmodelc folder.
    init(_ compiled: URL, _ artifact: Artifact) throws {
        let configuration = try Model.configuration(artifact)
        let begin = mach_absolute_time()
        model = try MLModel(contentsOf: compiled, configuration: configuration)
        loadMs = Double(Model.ns(since: begin)) / 1e6
        let (inputs, outputs) = (model.modelDescription.inputDescriptionsByName, model.modelDescription.outputDescriptionsByName)
        let shape = [1, 3, artifact.resolution, artifact.resolution]
        guard inputs.count == 1, outputs.count == 1, let only = inputs.first, let wanted = only.value.multiArrayConstraint,
              wanted.shape.map(\.intValue) == shape, wanted.dataType == .float32
        else { throw LeaseFailure(kind: "unsupported", reason: "one float32 input of shape \(shape) and one output are needed") }
        let array = try MLMultiArray(shape: shape.map { NSNumber(value: $0) }, dataType: .float32)
        let values = picture(artifact.resolution)
        array.withUnsafeMutableBytes { pointer, _ in pointer.copyBytes(from: values.withUnsafeBytes { Data($0) }) }
        input = try MLDictionaryFeatureProvider(dictionary: [only.key: MLFeatureValue(multiArray: array)])
        outputName = outputs.first!.key
        let start = mach_absolute_time()
        last = try model.prediction(from: input).featureValue(for: outputName)?.multiArrayValue
        firstMs = Double(Model.ns(since: start)) / 1e6
    }

    static func configuration(_ artifact: Artifact) throws -> MLModelConfiguration {
        guard let units = computeUnits[artifact.setup.units] else {
            throw LeaseFailure(kind: "unsupported", reason: "compute_units \(artifact.setup.units); known: \(computeUnits.keys.sorted())")
        }
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units
        return configuration
    }

    /// ns of each run, output fetched. Not async, so that the call is the synchronous one.
    func time(_ iterations: Int) throws -> [Int] {
        var samples: [Int] = []
        samples.reserveCapacity(iterations)
        for _ in 0..<iterations {
            try autoreleasepool {
                let begin = mach_absolute_time()
                last = try model.prediction(from: input).featureValue(for: outputName)?.multiArrayValue
                samples.append(max(Model.ns(since: begin), 1))
            }
        }
        return samples
    }

    /// Relative error against the reference logits, and why that is too much (nil: it is not); bounds of bench.measure.
    func checked(_ expected: [Double], precision: String) -> (Double?, String?) {
        guard let last, last.count == expected.count else { return (nil, "its output has another size than the network's") }
        let found = (0..<last.count).map { last[$0].doubleValue }
        guard found.allSatisfy(\.isFinite) else { return (nil, "its output is not finite") }
        func length(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        let error = length(zip(found, expected).map(-)) / max(length(expected), .leastNormalMagnitude)
        if precision == "fp32" {
            return (error, error <= 1e-3 ? nil : "its output differs from the network's by \(error) (relative); 1e-3 is right")
        }
        func best(_ values: [Double]) -> Int? { values.indices.max { values[$0] < values[$1] } }
        let cosine = zip(found, expected).reduce(0) { $0 + $1.0 * $1.1 } / max(length(found) * length(expected), .leastNormalMagnitude)
        if best(found) != best(expected) { return (error, "in \(precision) it names another class than the network") }
        return (error, cosine >= 0.99 ? nil : "in \(precision) the cosine of its logits is \(cosine); 0.99 is right")
    }

    /// Operators of the compiled program by the device that Core ML prefers for each; nil where it does not tell.
    static func placement(_ compiled: URL, _ artifact: Artifact) async -> [String: Int]? {
        guard #available(iOS 17.4, *), let configuration = try? configuration(artifact),
              let plan = try? await MLComputePlan.load(contentsOf: compiled, configuration: configuration),
              case let .program(program) = plan.modelStructure, let main = program.functions["main"]
        else { return nil }
        return main.block.operations.compactMap { plan.deviceUsage(for: $0)?.preferred }.reduce(into: [:]) { counts, device in
            switch device {
            case .cpu: counts["CPU", default: 0] += 1
            case .gpu: counts["GPU", default: 0] += 1
            case .neuralEngine: counts["NeuralEngine", default: 0] += 1
            @unknown default: counts["unknown", default: 0] += 1
            }
        }
    }

    private static func ns(since begin: UInt64) -> Int {
        Int((mach_absolute_time() - begin) * timebase.numer / timebase.denom)
    }
}
