// The app: one screen, one loop that asks the hub for work while it is open. NOT RUN HERE on a phone or a Mac, see
// ../README.md.

import CoreML
import SwiftUI

@main
struct BenchRunnerApp: App {
    var body: some Scene { WindowGroup { RunnerView() } }
}

struct RunnerView: View {
    @State private var identity = Identity.load()
    @State private var line = ""
    @State private var status = "not enrolled"

    var body: some View {
        VStack(alignment: .leading, spacing: 16) {
            Text(identity?.name ?? "Bench runner").font(.largeTitle)
            Text(status)
            if identity == nil {
                TextField("line of `bench runners register NAME`", text: $line).textInputAutocapitalization(.never)
                Button("Enrol") { Task { await enrol() } }
            }
        }
        .padding()
        .onAppear { UIApplication.shared.isIdleTimerDisabled = true }
        .task(id: identity?.runnerID) {
            guard let identity else { return }
            // Not the main thread, whose work is the screen's; the highest class that is not.
            await Task.detached(priority: .userInitiated) { await Agent(identity) { text in await show(text) }.run() }.value
            Identity.forget() // the keychain outlives the app that is deleted
            self.identity = nil
        }
    }

    @MainActor private func show(_ text: String) { status = text }

    private func enrol() async {
        do {
            let found = try await Identity.enrol(line, capabilities: Device.capabilities)
            try found.save()
            (identity, line) = (found, "")
        } catch { status = (error as? HubError)?.line ?? error.localizedDescription }
    }
}

/// Asks for leases, one after the other, until the hub does not know the phone any more.
final class Agent {
    private let hub: Hub, identity: Identity, show: (String) async -> Void
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lease")

    init(_ identity: Identity, show: @escaping (String) async -> Void) {
        (self.identity, self.show) = (identity, show)
        hub = Hub(url: identity.url, fingerprint: identity.fingerprint, token: identity.token)
    }

    func run() async {
        while !Task.isCancelled {
            do {
                _ = try await hub.insist("PUT", "/v1/runners/\(identity.runnerID)/capabilities", Device.capabilities)
                while !Task.isCancelled {
                    await show("waiting for work")
                    guard let lease = try await hub.call("POST", "/v1/runners/\(identity.runnerID)/lease?wait=25", timeout: 40)
                    else { continue }
                    try await work(lease)
                }
            } catch let error as HubError where error.status == 401 {
                return await show("the hub does not know this phone any more; enrol it again")
            } catch {
                await show((error as? HubError)?.line ?? error.localizedDescription)
                try? await Task.sleep(nanoseconds: 5_000_000_000)
            }
        }
    }

    private func work(_ lease: JSON) async throws {
        guard let fence = lease["fence"] as? Int, let body = lease["body"] as? JSON, let limit = lease["max_s"] as? Double,
              let heartbeat = lease["heartbeat_s"] as? Double
        else { throw HubError(status: 0, line: "the hub gave a lease that makes no sense") }
        defer { try? FileManager.default.removeItem(at: folder) }
        let began = Date()
        var lastBeat = Date.distantPast
        // Between visits and loads only: a call during a run would disturb it.
        let beat: Session.Beat = { [hub, show] phase, done in
            guard Date().timeIntervalSince(began) < limit else { throw LeaseFailure(kind: "timeout", reason: "not done in time") }
            guard Date().timeIntervalSince(lastBeat) >= heartbeat else { return }
            lastBeat = Date()
            await show("lease \(fence): \(phase), block \(done)")
            let told: JSON = ["phase": phase, "done": done, "total": done, "health": Device.health]
            do {
                let action = try await hub.call("POST", "/v1/leases/\(fence)/heartbeat", told, timeout: 10)?["action"] as? String
                if action == "cancel" { throw CancellationError() }
            } catch let error as HubError where error.status == 0 || error.status >= 429 {} // away or busy: the timing goes on
        }
        do {
            let job = try Job(body)
            var compiled: [String: Result<URL, Error>] = [:]
            defer { compiled.values.forEach { if case let .success(place) = $0 { try? FileManager.default.removeItem(at: place) } } }
            for artifact in [job.reference] + job.artifacts where compiled[artifact.sha256] == nil {
                let package = folder.appendingPathComponent("\(artifact.sha256).mlpackage")
                for file in artifact.files {
                    let place = package.appendingPathComponent(file.name)
                    try await hub.fetch(file.sha256, bytes: file.bytes, to: place) { try await beat("fetching", 0) }
                }
                try await beat("compiling", 0)
                do { compiled[artifact.sha256] = .success(try await MLModel.compileModel(at: package)) } catch {
                    compiled[artifact.sha256] = .failure(error) // of this artifact alone
                }
            }
            let look: Session.Look = { [hub] found in
                let action = try? await hub.call("POST", "/v1/leases/\(fence)/look", ["measurements": found])?["action"] as? String
                if action == "cancel" { throw CancellationError() }
                return action == "enough"
            }
            let found = try await Session(job, compiled: { compiled[$0.sha256]! }, beat: beat, look: look).run()
            _ = try await hub.insist("PUT", "/v1/leases/\(fence)/result", ["measurements": found])
        } catch let error as HubError where [401, 403, 404, 409].contains(error.status) {
            if error.status == 401 { throw error } // otherwise the lease is not ours any more
        } catch is CancellationError {
        } catch {
            let failure = Agent.failure(error)
            let told: JSON = ["kind": failure.kind, "reason": String(failure.reason.prefix(1000))]
            do {
                _ = try await hub.insist("POST", "/v1/leases/\(fence)/fail", told)
            } catch let error as HubError where error.status != 401 {} // the hub knows better
        }
    }

    /// What a lease came to that ended with this error, in the kinds that a hub knows.
    private static func failure(_ error: Error) -> LeaseFailure {
        if let known = error as? LeaseFailure { return known }
        guard let refused = error as? HubError else { return LeaseFailure(kind: "unhealthy", reason: "the app: \(error.localizedDescription)") }
        // What the hub does not take now it does not take from another attempt.
        return LeaseFailure(kind: [413, 422].contains(refused.status) ? "unsupported" : "unhealthy", reason: "the hub: \(refused.line)")
    }
}
