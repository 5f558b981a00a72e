// A measuring session: restarts of interleaved blocks, as bench.measure.session runs it. An app cannot start itself
// anew: a restart loads all models again, in the same process, and the record says so. NOT RUN HERE on a phone or a
// Mac, see ../README.md.

import Foundation

/// One artifact on its way through a session.
private final class Entry {
    let artifact: Artifact, compiled: Result<URL, Error>
    var model: Model?, reason: String?, isWrong = false, runs = 0, errors: [Double] = [], placement: [String: Int]?
    var logs: [Int: (samples: [[Int]], process: JSON)] = [:]

    init(_ artifact: Artifact, _ compiled: Result<URL, Error>) { (self.artifact, self.compiled) = (artifact, compiled) }
}

/// SplitMix64 (Steele, Lea and Flood, 2014), so that an order can be repeated from the job's seed.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

final class Session {
    /// Asked between blocks and loads: tells the hub that we live; throws when the lease is over.
    typealias Beat = (_ phase: String, _ done: Int) async throws -> Void
    typealias Look = (_ measurements: [JSON]) async throws -> Bool

    private let job: Job, beat: Beat, look: Look, id = UUID().uuidString.replacingOccurrences(of: "-", with: "")
    private let reference: Entry, twin: Entry, entries: [Entry]
    private var restarts: [(number: Int, windows: [JSON])] = [], done = 0, surroundings: JSON = [:]

    /// `compiled` gives the .mlmodelc folder of an artifact, or why there is none.
    init(_ job: Job, compiled: (Artifact) -> Result<URL, Error>, beat: @escaping Beat, look: @escaping Look) {
        (self.job, self.beat, self.look) = (job, beat, look)
        reference = Entry(job.reference, compiled(job.reference))
        twin = Entry(job.reference.named(job.reference.label + " (again)"), compiled(job.reference))
        entries = job.artifacts.map { Entry($0, compiled($0)) }
    }

    func run() async throws -> [JSON] {
        let began = Date()
        surroundings = await Device.surroundings()
        for number in 0..<max(job.restarts, job.mostRestarts) {
            let isLate = number > 0 && Date().timeIntervalSince(began) > job.limitS
            let isLook = number >= job.restarts && (number - job.restarts) % 3 == 0
            guard entries.contains(where: { $0.reason == nil }), !isLate else { break }
            if isLook, try await look(measurements()) { break }
            try await restart(number)
            if let reason = reference.reason { // nothing of the session counts
                throw LeaseFailure(kind: "artifact_invalid", reason: "the reference \(job.reference.label) failed: \(reason)")
            }
        }
        return measurements()
    }

    private func restart(_ number: Int) async throws {
        let hasTwin = job.twin == "always" || (job.twin == "first" && number == 0)
        let present = ([reference] + (hasTwin ? [twin] : []) + entries).filter { $0.reason == nil }
        for entry in present {
            try await beat("loading", done)
            try await load(entry, isFirst: number == 0)
        }
        var random = Seeded(state: UInt64(job.seed) &+ UInt64(number) &* 0x1_0000_0001)
        var (order, planned, block, windows, flags) = (Array(present.indices), job.blocks, 0, [JSON](), [Bool]())
        while block < planned {
            let before = try await Device.cool { try await self.beat("cooling", self.done) }
            order = block % 2 == 0 ? order.shuffled(using: &random) : order.reversed()
            for entry in order.map({ present[$0] }) where entry.reason == nil {
                try await beat("timing", done)
                attempt(entry, "timing") {
                    let samples = try entry.model!.time(1 + entry.runs) // the first brings the weights back into caches
                    entry.logs[number]!.samples.append(Array(samples.dropFirst()))
                }
            }
            windows.append(Device.window(before))
            flags.append(!(windows.last!["throttling"] is NSNull))
            (block, done) = (block + 1, done + 1)
            if job.repeats && block == job.blocks && flags.contains(true) { planned += 2 * ((flags.filter { $0 }.count + 1) / 2) }
        }
        for entry in present {
            entry.model = nil
            if entry.reason != nil { entry.logs[number] = nil }
        }
        restarts.append((number, windows))
    }

    /// Loads, compares the output, and runs until two windows of warm-up agree.
    private func load(_ entry: Entry, isFirst: Bool) async throws {
        let number = restarts.count
        if isFirst, case let .success(place) = entry.compiled { entry.placement = await Model.placement(place, entry.artifact) }
        attempt(entry, "loading") {
            let model = try Model(entry.compiled.get(), entry.artifact)
            (entry.model, entry.logs[number]) = (model, ([], [:]))
            if let expected = entry.artifact.logits {
                let (error, wrong) = model.checked(expected, precision: entry.artifact.setup.precision)
                if let error { entry.errors.append(error) }
                (entry.reason, entry.isWrong) = (wrong, wrong != nil)
            }
            var warmup: [Int] = [], isStable = false
            func median(_ values: ArraySlice<Int>) -> Double { Double(values.sorted()[values.count / 2]) }
            while Double(warmup.reduce(0, +)) < job.warmupMs * 1e6 && !isStable && entry.reason == nil {
                let before = warmup.suffix(job.warmupWindow)
                warmup += try model.time(job.warmupWindow)
                let agrees = !before.isEmpty && abs(median(warmup.suffix(job.warmupWindow)) / median(before) - 1) <= 0.02
                isStable = agrees && Double(warmup.reduce(0, +)) >= job.warmupLeastMs * 1e6
            }
            if entry.runs == 0, !warmup.isEmpty {
                entry.runs = min(max(job.iterations, Int(job.visitMs * 1e6 / median(warmup.suffix(job.warmupWindow))) + 1), 2000)
            }
            entry.logs[number]!.process = [
                "load_ms": model.loadMs, "first_ms": model.firstMs, "memory_mib": NSNull(), "warmup": warmup, "is_stable": isStable,
            ]
        }
    }

    private func attempt(_ entry: Entry, _ what: String, _ work: () throws -> Void) {
        do { try autoreleasepool(invoking: work) } catch {
            entry.reason = String("\(what) failed: \((error as? LeaseFailure)?.reason ?? error.localizedDescription)".prefix(1000))
        }
    }

    private func measurements() -> [JSON] { entries.map(measurement) }

    /// As Measurement.to_dict() gives it.
    private func measurement(_ entry: Entry) -> JSON {
        let shared = restarts.filter { entry.logs[$0.number] != nil && reference.logs[$0.number] != nil }
        let raw = entry.artifact.raw
        func samples(_ of: Entry) -> [[[Int]]] { shared.map { of.logs[$0.number]?.samples ?? [] } }
        let failure = entry.isWrong ? "wrong_output" : "failed"
        return [
            "label": entry.artifact.label, "architecture_id": raw["architecture_id"] ?? NSNull(),
            "artifact_sha256": entry.artifact.sha256, "runner": "apple", "runtime": "coreml",
            "threads": entry.artifact.setup.threads, "resolution": entry.artifact.resolution,
            "samples": samples(entry), "reference_samples": samples(reference), "twin_samples": samples(twin),
            "contended": shared.map { $0.windows.map { !($0["throttling"] is NSNull) } },
            "verdict": entry.reason == nil ? "valid" : failure, "reason": entry.reason ?? NSNull(),
            "fingerprint": fingerprint(entry.artifact), "protocol": protocolOf(entry, shared.map(\.number), shared.map(\.windows)),
            "session": id,
        ]
    }

    private func fingerprint(_ artifact: Artifact) -> JSON {
        let options: [String: String] = artifact.setup.options.reduce(into: [:]) { $0[$1[0]] = $1[1] }
        return [
            "machine": Device.machine, "software": ["bench-runner-ios": Device.version], "gpus": [JSON](), "runner": "apple",
            "runtime": "coreml", "threads": artifact.setup.threads, "precision": artifact.setup.precision, "channels_last": false,
            "options": options, "cpus": NSNull(), "export": artifact.raw["export"] as? JSON ?? [:],
            "reference": ["setup": job.reference.setup.name, "resolution": job.reference.resolution] as JSON,
            "spacing": "back-to-back", "loaded": ["clock": "wall", "call": "MLModel.prediction", "compute_units": artifact.setup.units],
        ]
    }

    private func protocolOf(_ entry: Entry, _ numbers: [Int], _ windows: [[JSON]]) -> JSON {
        let names = ["restarts", "most_restarts", "blocks", "iterations", "visit_ms", "warmup_window", "warmup_least_ms", "warmup_ms",
                     "target", "limit_s", "repeats", "twin", "deadline_s", "seed"]
        let known: JSON = names.reduce(into: [:]) { $0[$1] = job.raw[$1] ?? NSNull() }
        return known.merging([
            "version": 3, "restart": "reload", "statistic": "each run", "runs": entry.runs, "checked_by": "hub", "children_lost": 0,
            "reference": ["label": job.reference.label, "sha256": job.reference.sha256],
            "labels": [job.reference.label] + job.artifacts.map(\.label), "placement": entry.placement ?? NSNull(),
            "wanted_placement": NSNull(), "setup": entry.artifact.setup.name, "operators": NSNull(), "form": entry.artifact.raw["form"] ?? "deploy",
            "architecture": entry.artifact.raw["architecture"] ?? NSNull(),
            "output": ["is_checked": entry.artifact.logits != nil, "errors": entry.errors] as JSON, "phone": surroundings,
            "health": windows, "processes": numbers.map { entry.logs[$0]!.process },
        ]) { $1 }
    }
}
