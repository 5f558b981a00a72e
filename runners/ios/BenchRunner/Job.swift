// A job as a hub sends it, held to bounds and closed lists. NOT RUN HERE on a phone or a Mac, see ../README.md.

import CryptoKit
import Foundation

/// The files of an .mlpackage; no other name is written anywhere. What is run is hashed: its hash is the artifact's.
private let hashedNames = ["Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin"]
private let allowedNames: Set = Set(hashedNames + ["Manifest.json", "executorch_debug_handle_mapping.json"])

struct File { let name: String, sha256: String, bytes: Int }

/// One model of a job.
struct Artifact {
    let raw: JSON, label: String, sha256: String, resolution: Int, setup: Setup, logits: [Double]?
    let files: [File]
}

/// How an artifact is run.
struct Setup {
    let precision: String, threads: Int, options: [[String]]

    var units: String { options.last { $0[0] == "compute_units" }?[1] ?? "all" }

    /// As bench.measure's Setup.name has it.
    var name: String {
        let words = ["coreml"] + (precision == "fp32" ? [] : [precision]) + options.map { "\($0[0])=\($0[1])" }
        return words.joined(separator: " ") + (threads > 1 ? ", \(threads) threads" : "")
    }
}

/// What is to be timed and how; the names are those of bench.measure's Job.
struct Job {
    let raw: JSON, reference: Artifact, artifacts: [Artifact]
    let restarts: Int, mostRestarts: Int, blocks: Int, iterations: Int, warmupWindow: Int, seed: Int
    let visitMs: Double, warmupLeastMs: Double, warmupMs: Double, limitS: Double, repeats: Bool, twin: String

    init(_ body: JSON) throws {
        guard let job = body["job"] as? JSON, let files = body["files"] as? JSON, let one = job["reference"] as? JSON,
              let others = job["artifacts"] as? [JSON], (1...64).contains(others.count),
              job["runner"] as? String == "apple"
        else { throw LeaseFailure(kind: "unsupported", reason: "no job for an apple device; runner 'apple' is allowed") }
        func whole(_ name: String, _ range: ClosedRange<Int>) throws -> Int {
            guard let value = job[name] as? Int, range.contains(value) else {
                throw LeaseFailure(kind: "unsupported", reason: "\(name) is out of bounds; \(range) is allowed")
            }
            return value
        }
        func number(_ name: String, most: Double) throws -> Double {
            guard let value = (job[name] as? NSNumber)?.doubleValue, value >= 0, value <= most else {
                throw LeaseFailure(kind: "unsupported", reason: "\(name) is out of bounds; 0 to \(most) is allowed")
            }
            return value
        }
        raw = job
        reference = try Artifact(one, of: job, files: files)
        artifacts = try others.map { try Artifact($0, of: job, files: files) }
        (restarts, mostRestarts) = (try whole("restarts", 1...1000), try whole("most_restarts", 1...1000))
        (blocks, iterations) = (try whole("blocks", 1...1000), try whole("iterations", 1...2000))
        (warmupWindow, seed) = (try whole("warmup_window", 1...1000), try whole("seed", 0...Int.max))
        (visitMs, limitS) = (try number("visit_ms", most: 60_000), try number("limit_s", most: 21_600))
        (warmupLeastMs, warmupMs) = (try number("warmup_least_ms", most: 600_000), try number("warmup_ms", most: 600_000))
        repeats = job["repeats"] as? Bool ?? true
        twin = job["twin"] as? String ?? "first"
    }
}

extension Artifact {
    init(_ data: JSON, of job: JSON, files: JSON) throws {
        let setup = data["setup"] as? JSON ?? job
        guard let label = data["label"] as? String, label.count <= 200, data["format"] as? String == "mlpackage",
              setup["runtime"] as? String == "coreml", let sha256 = data["sha256"] as? String,
              let side = data["resolution"] as? Int ?? job["resolution"] as? Int, (1...4096).contains(side),
              let listed = files[label] as? [JSON]
        else { throw LeaseFailure(kind: "unsupported", reason: "an artifact that is no mlpackage for coreml; send it elsewhere") }
        self.files = try listed.map { file in
            guard let name = file["name"] as? String, allowedNames.contains(name), let bytes = file["bytes"] as? Int,
                  (0...(256 << 20)).contains(bytes), let hash = file["sha256"] as? String,
                  hash.wholeMatch(of: #/[0-9a-f]{64}/#) != nil
            else { throw LeaseFailure(kind: "unsupported", reason: "a file that no mlpackage has; list its own files") }
            return File(name: name, sha256: hash, bytes: bytes)
        }
        let hashes: [String: String] = self.files.reduce(into: [:]) { $0[$1.name] = $1.sha256 }
        let listing = hashedNames.compactMap { name in hashes[name].map { "\($0)  \(name)\n" } }.joined()
        guard hashes.count == listed.count, hashes[hashedNames[0]] != nil, hashes["Manifest.json"] != nil,
              hex(SHA256.hash(data: Data(listing.utf8))) == sha256
        else { throw LeaseFailure(kind: "unsupported", reason: "the files of \(label) do not give its sha256; list its own") }
        (raw, self.label, self.sha256, resolution) = (data, label, sha256, side)
        self.setup = Setup(precision: setup["precision"] as? String ?? "fp32", threads: setup["threads"] as? Int ?? 1,
                           options: (setup["options"] as? [[String]] ?? []).filter { $0.count == 2 })
        logits = (data["logits"] as? [NSNumber])?.map(\.doubleValue)
    }

    func named(_ other: String) -> Artifact {
        Artifact(raw: raw, label: other, sha256: sha256, resolution: resolution, setup: setup, logits: logits, files: files)
    }
}
