// The hub's HTTP API, with its certificate pinned. NOT RUN HERE on a phone or a Mac, see ../README.md.

import CryptoKit
import Foundation
import Security

/// Why a lease came to nothing, in the words of POST /v1/leases/{fence}/fail.
struct LeaseFailure: Error { let kind: String, reason: String }

/// The hub says no; status 0: it cannot be reached.
struct HubError: Error { let status: Int, line: String }

/// What the hub gave at the enrolment; the keychain keeps it.
struct Identity: Codable { let url: String, fingerprint: String, runnerID: String, name: String, token: String }

typealias JSON = [String: Any]

func hex<Bytes: Sequence>(_ bytes: Bytes) -> String where Bytes.Element == UInt8 {
    bytes.map { String(format: "%02x", $0) }.joined()
}

final class Hub: NSObject, URLSessionTaskDelegate {
    let url: String, fingerprint: String
    private let token: String?
    private lazy var session = URLSession(configuration: .ephemeral, delegate: self, delegateQueue: nil)

    init(url: String, fingerprint: String, token: String? = nil) {
        (self.url, self.fingerprint, self.token) = (url, fingerprint, token)
    }

    /// Trusts one certificate, by the SHA-256 of its DER form, and no authority.
    func urlSession(_ session: URLSession, didReceive challenge: URLAuthenticationChallenge) async
        -> (URLSession.AuthChallengeDisposition, URLCredential?)
    {
        guard challenge.protectionSpace.authenticationMethod == NSURLAuthenticationMethodServerTrust,
              let trust = challenge.protectionSpace.serverTrust,
              let leaf = (SecTrustCopyCertificateChain(trust) as? [SecCertificate])?.first,
              hex(SHA256.hash(data: SecCertificateCopyData(leaf) as Data)) == fingerprint
        else { return (.cancelAuthenticationChallenge, nil) }
        return (.useCredential, URLCredential(trust: trust))
    }

    /// Follows nobody elsewhere: the token is for this hub.
    func urlSession(_ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
                    newRequest request: URLRequest) async -> URLRequest? { nil }

    /// One call; nil where the hub has nothing to say (204).
    func call(_ method: String, _ path: String, _ body: JSON? = nil, timeout: TimeInterval = 30) async throws -> JSON? {
        var request = URLRequest(url: URL(string: url + path)!, timeoutInterval: timeout)
        request.httpMethod = method
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
        if let body {
            request.httpBody = try JSONSerialization.data(withJSONObject: body)
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        } else if method == "POST" {
            request.httpBody = Data() // with a length of 0, not without one
        }
        let (data, status) = try await sent { try await self.session.data(for: request) }
        let answer = (try? JSONSerialization.jsonObject(with: data)) as? JSON
        guard (200..<300).contains(status) else {
            throw HubError(status: status, line: answer?["error"] as? String ?? "status \(status)")
        }
        return status == 204 ? nil : answer ?? [:]
    }

    /// The same until the hub answers, unless it says no for good.
    func insist(_ method: String, _ path: String, _ body: JSON? = nil) async throws -> JSON? {
        var pause: UInt64 = 1
        while true {
            do { return try await call(method, path, body) } catch let error as HubError {
                guard Hub.isPassing(error.status) else { throw error }
                try await Task.sleep(nanoseconds: pause * 1_000_000_000)
                pause = min(2 * pause, 30)
            }
        }
    }

    /// Fetches a file to `place`, if it has this hash and size; `beat` is asked before each attempt and ends them.
    func fetch(_ sha256: String, bytes: Int, to place: URL, beat: () async throws -> Void) async throws {
        var request = URLRequest(url: URL(string: "\(url)/v1/blobs/sha256/\(sha256)")!, timeoutInterval: 40)
        request.setValue("Bearer \(token ?? "")", forHTTPHeaderField: "Authorization")
        while true {
            try await beat()
            let (data, status) = (try? await sent { try await self.session.data(for: request) }) ?? (Data(), 0)
            if Hub.isPassing(status) {
                try await Task.sleep(nanoseconds: 2_000_000_000)
                continue
            }
            guard status == 200 else { throw HubError(status: status, line: "no file \(sha256) (status \(status))") }
            guard data.count == bytes, hex(SHA256.hash(data: data)) == sha256 else {
                throw LeaseFailure(kind: "unhealthy", reason: "the hub gave something else for file \(sha256); it is not used")
            }
            try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
            return try data.write(to: place)
        }
    }

    /// Whether the hub may answer otherwise later.
    private static func isPassing(_ status: Int) -> Bool { [0, 429, 500, 502, 503, 504].contains(status) }

    private func sent(_ send: () async throws -> (Data, URLResponse)) async throws -> (Data, Int) {
        do {
            let (data, response) = try await send()
            return (data, (response as? HTTPURLResponse)?.statusCode ?? 0)
        } catch let error as URLError {
            let isPinned = error.code == .cancelled && !Task.isCancelled // by us, over the certificate
            throw HubError(status: 0, line: isPinned ? "the hub shows another certificate than was enrolled" : error.localizedDescription)
        }
    }
}

extension Identity {
    private static let query: JSON = [kSecClass as String: kSecClassGenericPassword, kSecAttrService as String: "bench-runner"]

    static func load() -> Identity? {
        var found: CFTypeRef?
        let asked = query.merging([kSecReturnData as String: true]) { $1 }
        guard SecItemCopyMatching(asked as CFDictionary, &found) == errSecSuccess, let data = found as? Data else { return nil }
        return try? JSONDecoder().decode(Identity.self, from: data)
    }

    static func forget() { SecItemDelete(query as CFDictionary) }

    func save() throws {
        Identity.forget()
        let item = Identity.query.merging([
            kSecValueData as String: try JSONEncoder().encode(self),
            kSecAttrAccessible as String: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
        ]) { $1 }
        guard SecItemAdd(item as CFDictionary, nil) == errSecSuccess else { throw HubError(status: 0, line: "no keychain") }
    }

    /// Buys a token with the line that `bench runners register NAME` prints; plain HTTP has no certificate, and no app.
    static func enrol(_ text: String, capabilities: JSON) async throws -> Identity {
        guard let found = text.firstMatch(of: #/(https://[^#\s']{1,300})#([A-Za-z0-9_-]{8,200})#sha256:([0-9a-fA-F]{64})/#) else {
            throw HubError(status: 0, line: "that is no line of a hub with TLS: https://...#CODE#sha256:HEX")
        }
        let (url, fingerprint) = (String(found.1), found.3.lowercased())
        guard URL(string: url) != nil else { throw HubError(status: 0, line: "that is no address of a hub: \(url)") }
        let body: JSON = ["code": String(found.2), "agent_version": Device.version, "protocol": 1, "capabilities": capabilities]
        let given = try await Hub(url: url, fingerprint: fingerprint).call("POST", "/v1/enroll", body) ?? [:]
        guard let id = given["runner_id"] as? String, let name = given["name"] as? String, let token = given["token"] as? String
        else { throw HubError(status: 0, line: "the hub gave no identity") }
        return Identity(url: url, fingerprint: fingerprint, runnerID: id, name: name, token: token)
    }
}
